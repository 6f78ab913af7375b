"""AuthGateway: API keys, as clients manage them.

Owns: nothing; it checks a request against its caller and makes one call down.

Called by: the edge, for `/api/v1/api-keys/*`. The edge itself answers `create` and `rotate`
(`edge/api_keys.py`), because it makes the keys.

Calls: ApiKeyService.

Retries: REQUEST: a client waits.

Failure: the error of what it called, unchanged.
"""
