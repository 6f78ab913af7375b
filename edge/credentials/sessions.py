"""Which tokens of the platform's own users still count, as FirebaseBridgeActor says it.

A token lives an hour, what it claims may change at any moment. So the record is asked as well, and
verdicts.py remembers the answer for a few seconds: a member who was removed, a role that was taken
away and a session that was ended hold everywhere within ten, whatever Firebase does.
"""

from actors.firebase_bridge import contract as bridge
from actors.firebase_bridge.contract import ReadRequest, ReadResponse
from chassis.identity import Caller, object_key
from edge import reasons
from edge.credentials.verdicts import LOOKUP_SECONDS, Verdicts
from edge.metrics import USER_LOOKUPS
from edge.platform_calls import PlatformCalls


class Sessions:
    """The records of users by their id."""

    def __init__(self, calls: PlatformCalls) -> None:
        self._calls = calls
        self._verdicts = Verdicts(self._ask, USER_LOOKUPS)

    async def close(self) -> None:
        """End look-ups that are under way."""
        await self._verdicts.close()

    async def check(self, caller: Caller, signed_in: float) -> None:
        """Refuse a token that counts no more.

        caller: as the token claims. signed_in: unix seconds at which its session began.
        Raises UNAUTHENTICATED, or UNAVAILABLE while that cannot be found out.
        """
        record = await self._verdicts.find(caller.user_id)
        since = record.valid_since
        if since is not None and signed_in < since.timestamp():
            raise reasons.SESSION_ENDED.error()
        claimed = (caller.tenant_id, caller.role)
        # One without a tenant may do nothing that a record could forbid, and has to be let through:
        # it is what a user holds who just made an organization and asks again.
        if record.managed and caller.tenant_id and claimed != (record.tenant_id, record.role):
            raise reasons.TOKEN_STALE.error()

    async def _ask(self, user_id: str) -> ReadResponse:
        record = await self._calls.call(
            bridge.read, ReadRequest(), key=object_key(user_id), seconds=LOOKUP_SECONDS
        )
        USER_LOOKUPS.labels("managed" if record.managed else "unmanaged").inc()
        return record
