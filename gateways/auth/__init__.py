"""AuthGateway: API keys and organizations, as clients manage them.

Owns: nothing; it checks a request against its caller and calls down.

Called by: the edge, for `/api/v1/api-keys/*` and `/api/v1/orgs/*`. Where a secret is made or shown
the edge itself answers (`edge/api_keys.py`, `edge/orgs.py`), so that none comes here, and where a
key is revoked, so that it costs one call less.

Calls: ApiKeyService; OrganizationService and then FirebaseBridgeActor, because a change of a
membership is one of what the user's tokens may claim; AuditLogActor.

Retries: REQUEST: a client waits.

Failure: the error of what it called, unchanged. A change of a membership that stopped between its
two calls is finished by Restate, and by whoever repeats it.
"""
