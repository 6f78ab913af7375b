"""ApiKeyService: the API keys of tenants, known by their hashes alone.

Owns: which keys a tenant has, what they may do, until when, and how they were used. The text of a
key is made and shown by the edge and never comes here: only its hash and its first characters.

Key and state: the service itself has none. It owns two objects, which nobody else calls:

- `ApiKeyIndex`, key `tenant`: everything about the tenant's keys. Lazy, because there may be a
  thousand: `head`, `page:<n>` (50 ids each, oldest first), `key:<id>`, `usage:<id>` (92 days), and
  `issuers`, the namespace of each OIDC issuer, which all keys of that issuer share.
- `ApiKeyGrant`, key: the hash of a key's text. What the edge reads to verify a key, one small
  record. A change carries the record's revision, so that one that comes late changes nothing.

Called by: AuthGateway; the edge (Create, and Get and Rotate, because it makes the key; Revoke;
ApiKeyGrant/Read to verify; ApiKeyIndex/AddUsage in batches).

Calls: its own objects. ApiKeyIndex also sends every change to ApiKeyGrant one-way: so a revoked key
dies even when the call that revoked it does. The service waits for the same change, so that an
answer means that it is done. What happened goes to AuditLogActor, one-way.

Retries: REQUEST for the service, a client waits; SINGLETON for the objects.

Failure: a revocation that was answered holds everywhere as soon as the edges' verdicts have run
out, that is within ten seconds.
"""
