"""The state of one user's account: what the platform wants, and what Firebase has of it."""

from pydantic import Field

from chassis.message import Message, Timestamp, UInt32
from chassis.state import StateKey

MOST_TENANTS = 50


class TenantSeen(Message):
    """The newest change of a tenant that this user has met."""

    tenant_id: str = ""
    revision: UInt32 = 0


class Account(Message):
    """One user.

    revision, applied: the newest change, and the one that Firebase was last told.
    managed: the platform has said what tokens may claim; `tenant_id` is empty for one who left.
    valid_since: sign-ins before it are void; whole seconds, as tokens have them.
    ticket, tries: of the Apply that goes on until Firebase has it all; an older ticket's ends.
    seen: the tenants whose changes came last, newest at the end.
    """

    version: UInt32 = 1
    revision: UInt32 = 0
    applied: UInt32 = 0
    managed: bool = False
    tenant_id: str = ""
    role: str = ""
    valid_since: Timestamp | None = None
    ticket: UInt32 = 0
    tries: UInt32 = 0
    seen: list[TenantSeen] = Field(default_factory=list[TenantSeen])

    def is_late(self, tenant_id: str, revision: int) -> bool:
        """Whether a newer change of the same tenant was met before; notes this one if not.

        A change without a number is always news and notes nothing.
        """
        if not revision:
            return False
        known = next((each for each in self.seen if each.tenant_id == tenant_id), None)
        if known is not None and known.revision > revision:
            return True
        others = [each for each in self.seen if each is not known]
        kept = others[-(MOST_TENANTS - 1) :]
        self.seen = [*kept, TenantSeen(tenant_id=tenant_id, revision=revision)]
        return False


ACCOUNT = StateKey("account", Account)
