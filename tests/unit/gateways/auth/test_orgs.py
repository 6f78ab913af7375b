"""What a change of a membership does to the tokens of the user, on the way through the gateway."""

from datetime import timedelta

import pytest

from actors.firebase_bridge import contract as firebase
from actors.firebase_bridge.contract import (
    ApplyRequest,
    ApplyResponse,
    ChangeResponse,
    ClearClaimsRequest,
    RevokeSessionsRequest,
    SetClaimsRequest,
)
from chassis import key_text
from chassis.identity import Caller
from chassis.rpc import Mode
from errors import Code, Outcome, Reason, RpcError
from gateways.auth.contract import component, orgs
from gateways.auth.contract.orgs import (
    AcceptInvitationRequest,
    DataFate,
    OrgsAuditLogRequest,
    OrgsCreateRequest,
    OrgsLeaveRequest,
    OrgsMembershipResponse,
    OrgsRemoveMemberRequest,
    OrgsSetMemberRoleRequest,
)
from gateways.auth.handlers.api_keys import ApiKeys
from gateways.auth.handlers.orgs import Orgs
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from tests.support.organizations import People

pytestmark = pytest.mark.anyio

AWAY = Reason("firebase.unavailable", Code.UNAVAILABLE, "Away.")


class Bridge:
    """FirebaseBridgeActor as far as the gateway sees it; what it was told, in order."""

    def __init__(self, platform: FakePlatform) -> None:
        self.told: list[tuple[str, str, str, str]] = []
        self.applied: list[str] = []
        self.away = False
        platform.stub(firebase.set_claims, self._set)
        platform.stub(firebase.clear_claims, self._clear)
        platform.stub(firebase.revoke_sessions, self._revoke)
        platform.stub(firebase.apply, self._apply)

    def _set(self, request: SetClaimsRequest, key: str) -> ChangeResponse:
        self.told.append(("set", key, request.tenant_id, request.role))
        return ChangeResponse()

    def _clear(self, request: ClearClaimsRequest, key: str) -> ChangeResponse:
        self.told.append(("clear", key, request.tenant_id, ""))
        return ChangeResponse()

    def _revoke(self, request: RevokeSessionsRequest, key: str) -> ChangeResponse:
        self.told.append(("revoke", key, "", ""))
        return ChangeResponse()

    def _apply(self, request: ApplyRequest, key: str) -> ApplyResponse:
        if self.away:
            raise AWAY.error()
        self.applied.append(key)
        return ApplyResponse()


class Dashboard(People):
    """People who go through the gateway."""

    def __init__(self, platform: FakePlatform) -> None:
        super().__init__(platform)
        self.bridge = Bridge(platform)
        platform.serve(component, ApiKeys(), Orgs())

    def caller(self, user_id: str, tenant_id: str | None = None) -> Caller:
        """Somebody with a token."""
        tenant = self.tenant_id if tenant_id is None else tenant_id
        email = f"{user_id}@example.com"
        return Caller(tenant, user_id, Mode.FIREBASE, frozenset(), email, address="203.0.113.7")

    async def create(self, user_id: str = "olga") -> OrgsMembershipResponse:
        """An organization of somebody's."""
        request = OrgsCreateRequest(name="Socayo")
        made = await self.platform.call(
            orgs.orgs_create, request, caller=self.caller(user_id, tenant_id="")
        )
        self.tenant_id = made.organization.tenant_id
        return made

    async def enter(self, token: str, user_id: str = "bob") -> OrgsMembershipResponse:
        """Accept an invitation."""
        request = AcceptInvitationRequest(sha256=key_text.hash_of(token))
        return await self.platform.call(
            orgs.accept_invitation, request, caller=self.caller(user_id, tenant_id="")
        )


async def test_whoever_creates_an_organization_may_claim_it_when_the_answer_comes() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        made = await people.create()
        tenant = made.organization.tenant_id
        assert made.member.role == "owner"
        assert people.bridge.told == [("set", "olga", tenant, "owner")]
        assert people.bridge.applied == ["olga"]


async def test_a_repeat_finishes_what_firebase_kept_from_being_whole() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        people.bridge.away = True
        with pytest.raises(RpcError) as failure:
            await people.create()
        assert (failure.value.reason, failure.value.is_terminal) == (AWAY.word, False)
        assert failure.value.outcome is Outcome.UNKNOWN, "the organization is there"
        people.bridge.away = False
        made = await people.create()
        told = people.bridge.told
        assert told[0] == told[1] == ("set", "olga", made.organization.tenant_id, "owner")
        assert await people.roles() == {"olga": "owner"}


async def test_whoever_accepts_an_invitation_may_claim_its_role() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        await people.create()
        _, token = await people.invite("bob@example.com", role="admin")
        joined = await people.enter(token)
        assert joined.member.role == "admin"
        assert people.bridge.told[-1] == ("set", "bob", people.tenant_id, "admin")
        assert people.bridge.applied[-1] == "bob"


async def test_another_role_is_claimed_by_the_tokens_that_come() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        await people.create()
        await people.join("bob")
        request = OrgsSetMemberRoleRequest(user_id="bob", role="admin")
        changed = await platform.call(
            orgs.orgs_set_member_role, request, caller=people.caller("olga")
        )
        assert changed.member.role == "admin"
        assert people.bridge.told[-1] == ("set", "bob", people.tenant_id, "admin")


async def test_removing_a_member_ends_claims_and_sessions_and_says_what_becomes_of_the_data() -> (
    None
):
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        await people.create()
        await people.join("bob")
        for _ in range(2):
            removed = await platform.call(
                orgs.orgs_remove_member,
                OrgsRemoveMemberRequest(user_id="bob"),
                caller=people.caller("olga"),
            )
            assert removed.member.removed_at is not None
            assert removed.access_ends_within == timedelta(seconds=10)
            assert removed.data is not None
            assert removed.data.conversations is DataFate.KEPT
            assert [told[:2] for told in people.bridge.told[-2:]] == [
                ("clear", "bob"),
                ("revoke", "bob"),
            ]
        assert await people.roles() == {"olga": "owner"}


async def test_whoever_leaves_stays_signed_in_and_claims_nothing() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        await people.create()
        await people.join("bob")
        left = await platform.call(orgs.orgs_leave, OrgsLeaveRequest(), caller=people.caller("bob"))
        assert left.member.user_id == "bob"
        assert people.bridge.told[-1] == ("clear", "bob", people.tenant_id, "")


async def test_the_audit_log_can_be_read_by_action() -> None:
    async with FakePlatform() as platform:
        people = Dashboard(platform)
        await people.create()
        await people.join("bob")
        await platform.settle()
        request = OrgsAuditLogRequest(action="member")
        found = await platform.call(orgs.orgs_audit_log, request, caller=people.caller("olga"))
        (entry,) = found.entries
        assert entry.actor is not None
        assert (entry.action, entry.actor.user_id) == ("member.joined", "bob")


async def test_creating_an_organization_survives_every_crash() -> None:
    async def story(platform: FakePlatform) -> list[object]:
        people = Dashboard(platform)
        made = await people.create()
        await platform.settle()
        return [made.member.role, await people.roles(), len(await people.log())]

    assert await survives_every_crash(story) > 10
