"""AuditLogActor: who did what in an organization, when and from where.

Owns: the order of the entries, and that none is ever changed or taken away.

Key: `tenant`, percent-encoded: a log belongs to one organization.

State (lazy, because a log has no bound):
- `head`: how many entries there are;
- `page:<n>`: 50 entries each, oldest first; only the newest is ever written to, so appending and
  reading the newest page cost the same at entry 10 and 1,000,000.

Called by: AuthGateway (List); the edge (Append, for calls with impersonation). ApiKeyIndex and
Organization append one-way: what they record has happened, and nobody waits for the record.

Calls: nobody.

Retries: SINGLETON: a paused call would block the log for ever.

Failure: an entry that was sent arrives once, whatever dies; it may come some moments late.
"""
