"""Invitations: each opens the door once, for whom it was meant, and not for ever."""

from datetime import timedelta

import pytest

from services.organization import contract
from services.organization.contract import (
    InvitationStatus,
    ListRequest,
    RevokeInvitationRequest,
)
from services.organization.handlers import invitations
from services.organization.reasons import (
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    TOO_MANY_INVITATIONS,
)
from tests.support.fake_platform import FakePlatform
from tests.support.organizations import People, person, refused

pytestmark = pytest.mark.anyio


async def test_an_invited_person_gets_the_role_of_the_invitation() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        invitation, token = await people.invite("Bob@Example.com", role="admin")
        assert (invitation.email, invitation.status) == ("bob@example.com", InvitationStatus.OPEN)
        joined = await people.accept(token, "bob")
        assert (joined.member.role, joined.member.invited_by) == ("admin", "olga")
        assert await people.roles() == {"bob": "admin", "olga": "owner"}


async def test_an_invitation_is_for_one_person_and_once() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        _, token = await people.invite()
        await people.accept(token, "bob")
        again = await people.accept(token, "bob")
        assert again.member.user_id == "bob"
        assert (await refused(people.accept(token, "carol"))).reason == INVITATION_NOT_OPEN.word
        # Carol was let go: she can go elsewhere.
        await People(platform).found("carol", name="Other")
        assert await people.roles() == {"bob": "member", "olga": "owner"}


async def test_a_removed_member_cannot_come_back_by_the_old_invitation() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        _, token = await people.invite()
        await people.accept(token, "bob")
        await people.remove("bob")
        assert (await refused(people.accept(token, "bob"))).reason == INVITATION_NOT_OPEN.word
        assert await people.roles() == {"olga": "owner"}


async def test_an_invitation_for_an_address_is_of_no_use_to_others() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        _, token = await people.invite("bob@example.com")
        assert (await refused(people.accept(token, "eve"))).reason == INVITATION_OF_ANOTHER.word
        assert (await people.accept(token, "bob")).member.user_id == "bob"


async def test_an_expired_invitation_is_over() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        _, token = await people.invite(lifetime=timedelta(hours=1))
        await platform.advance(3600)
        assert (await refused(people.accept(token, "bob"))).reason == INVITATION_NOT_OPEN.word
        request = ListRequest(tenant_id=people.tenant_id)
        (shown,) = (await platform.call(contract.list_invitations, request)).invitations
        assert shown.status is InvitationStatus.EXPIRED


async def test_a_revoked_invitation_is_over_and_a_token_nobody_made_leads_nowhere() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        invitation, token = await people.invite()
        request = RevokeInvitationRequest(
            tenant_id=people.tenant_id, by=person("olga"), invitation_id=invitation.invitation_id
        )
        for _ in range(2):
            revoked = await platform.call(contract.revoke_invitation, request)
            assert revoked.invitation.status is InvitationStatus.REVOKED
        assert (await refused(people.accept(token, "bob"))).reason == INVITATION_NOT_OPEN.word
        unknown = "invite_" + "0" * 38
        assert (await refused(people.accept(unknown, "bob"))).reason == INVITATION_NOT_FOUND.word


async def test_a_new_invitation_of_an_address_ends_the_earlier_one() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        _, first = await people.invite("bob@example.com")
        _, second = await people.invite("BOB@example.com")
        assert (await refused(people.accept(first, "bob"))).reason == INVITATION_NOT_OPEN.word
        assert (await people.accept(second, "bob")).member.user_id == "bob"


async def test_open_invitations_are_bounded_and_expired_ones_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        for _ in range(2):
            await people.invite(lifetime=timedelta(hours=1))
        assert (await refused(people.invite())).reason == TOO_MANY_INVITATIONS.word
        await platform.advance(3600)
        await people.invite()
