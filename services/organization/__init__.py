"""OrganizationService: who belongs to an organization, in which role, and who is invited.

Owns: an organization's name, members and invitations; and of each user, the one organization that
they belong to. A token claims one tenant, so a user is in one organization at a time.

Key and state: the service itself has none. It owns three objects, which nobody else calls:

- `Organization`, key `tenant`: lazy, because there may be thousands of members: `head`,
  `members:<n>` and `invitations:<n>` (50 ids each, oldest first), `member:<user>`,
  `invitation:<id>`. Its `revision` counts changes of members: by it others know which of two
  changes is the later one.
- `OrganizationMembership`, key: a user. The tenant that the user belongs to; taken before the
  tenant knows of the user, so that of two tries to be in two organizations one is refused.
- `OrganizationInvitation`, key: the hash of an invitation's token. Where it leads. The token is
  made and shown by the edge and never comes here.

Called by: AuthGateway; the edge (Invite, because it makes the token).

Calls: its own objects. Organization also sends what happened to AuditLogActor, one-way.

Retries: REQUEST for the service, a client waits; SINGLETON for the objects.

Failure: repeating a call that stopped halfway repairs what it left: `Create` with the same name
and `Accept` with the same token answer what they made, `Remove` of a removed member is done again.
"""
