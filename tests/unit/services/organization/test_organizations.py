"""Who belongs to an organization: nobody twice, nobody without an owner, nobody for ever."""

from typing import Any

import pytest

from chassis import key_text
from errors import RpcError
from services.organization import contract
from services.organization.contract import (
    DeleteRequest,
    ListRequest,
    OrganizationRequest,
    UpdateRequest,
    objects,
)
from services.organization.contract.objects import FoundRequest
from services.organization.handlers import members
from services.organization.reasons import (
    ALREADY_MEMBER,
    INVITATION_NOT_FOUND,
    LAST_OWNER,
    MEMBER_NOT_FOUND,
    ORGANIZATION_NOT_FOUND,
    ROLE_TOO_LOW,
    TOO_MANY_MEMBERS,
)
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from tests.support.organizations import People, person, refused

pytestmark = pytest.mark.anyio


async def test_whoever_creates_an_organization_owns_it_and_is_its_only_member() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        made = await people.found(name="Socayo GmbH")
        assert made.organization.tenant_id.startswith("socayo-gmbh-")
        assert made.organization.member_count == 1
        assert (made.member.user_id, made.member.role) == ("olga", "owner")
        assert await people.roles() == {"olga": "owner"}


async def test_a_repeat_with_the_same_name_answers_the_same_organization() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        first = await people.found()
        again = await people.found()
        assert again == first
        assert len(await people.log()) == 1


async def test_a_user_is_in_one_organization_at_a_time() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob")
        for user in ("olga", "bob"):
            error = await refused(people.found(user, name="Another"))
            assert error.reason == ALREADY_MEMBER.word
        other = People(platform)
        await other.found("oscar", name="Other")
        _, token = await other.invite(by="oscar")
        assert (await refused(people.accept(token, "bob"))).reason == ALREADY_MEMBER.word
        assert await other.roles() == {"oscar": "owner"}


async def test_a_half_made_organization_is_finished_by_a_repeat() -> None:
    """The user was said to belong to a tenant that came to nothing."""
    async with FakePlatform() as platform:
        people = People(platform)
        taken = objects.TakeRequest(tenant_id="socayo-half")
        await platform.call(objects.take, taken, key="olga")
        made = await people.found()
        assert made.organization.tenant_id == "socayo-half"
        assert await people.roles() == {"olga": "owner"}


async def test_an_id_that_is_taken_is_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        first = await people.found()
        taken = first.organization.tenant_id
        ids = iter([taken, taken, "socayo-second"])
        given_before: dict[int, str] = {}

        def given(_name: str, randomness: int) -> str:
            if randomness not in given_before:  # a replay asks again
                given_before[randomness] = next(ids)
            return given_before[randomness]

        service = "services.organization.handlers.service.tenant_id"
        monkeypatch.setattr(service, given)
        second = await People(platform).found("oscar")
        assert second.organization.tenant_id == "socayo-second"
        assert (await people.roles()) == {"olga": "owner"}


async def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST_MEMBERS", 2)
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob")
        assert (await refused(people.join("carol"))).reason == TOO_MANY_MEMBERS.word
        await people.remove("bob")
        await people.join("carol")


ROLES = ("owner", "admin", "member")


async def everybody(platform: FakePlatform) -> People:
    """One of each role, and a second owner, so that none is the last."""
    people = People(platform)
    await people.found()
    for user in ROLES:
        await people.join(user, role=user)
    return people


@pytest.mark.parametrize("by", [*ROLES, "stranger"])
@pytest.mark.parametrize("whom", ROLES)
async def test_administrators_manage_all_but_owners_and_members_nobody(by: str, whom: str) -> None:
    async with FakePlatform() as platform:
        people = await everybody(platform)
        allowed = by == "owner" or (by == "admin" and whom != "owner")
        if by != whom:
            attempts: list[Any] = [people.set_role(whom, "member", by), people.remove(whom, by)]
            for attempt in attempts:
                if allowed:
                    await attempt
                else:
                    assert (await refused(attempt)).reason == ROLE_TOO_LOW.word
        assert (whom in await people.roles()) != (allowed and by != whom)


@pytest.mark.parametrize("by", [*ROLES, "stranger"])
@pytest.mark.parametrize("role", ROLES)
async def test_nobody_gives_more_than_they_may_manage(by: str, role: str) -> None:
    async with FakePlatform() as platform:
        people = await everybody(platform)
        allowed = by == "owner" or (by == "admin" and role != "owner")
        attempts: list[Any] = [people.invite(role=role, by=by), people.set_role("member", role, by)]
        for attempt in attempts:
            if allowed:
                await attempt
            else:
                assert (await refused(attempt)).reason == ROLE_TOO_LOW.word


async def test_only_administrators_change_the_organization() -> None:
    async with FakePlatform() as platform:
        people = await everybody(platform)
        await rename(people, "owner", "One")
        await rename(people, "admin", "Two")
        for user in ("member", "stranger"):
            assert (await refused(rename(people, user, "No"))).reason == ROLE_TOO_LOW.word
        request = OrganizationRequest(tenant_id=people.tenant_id)
        assert (await platform.call(contract.get, request)).organization.name == "Two"


async def rename(people: People, by: str, name: str, **more: Any) -> None:
    """Change the organization."""
    request = UpdateRequest(tenant_id=people.tenant_id, by=person(by), name=name, **more)
    await people.platform.call(contract.update, request)


async def test_metadata_is_added_to_and_cleared_when_asked() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        request = OrganizationRequest(tenant_id=people.tenant_id)
        for more, expected in (
            ({"metadata": {"a": "1"}}, {"a": "1"}),
            ({"metadata": {"b": "2"}}, {"a": "1", "b": "2"}),
            ({"metadata": {"c": "3"}, "clear_metadata": True}, {"c": "3"}),
            ({"clear_metadata": True}, {}),
        ):
            await rename(people, "olga", "", **more)
            shown = await platform.call(contract.get, request)
            assert shown.organization.metadata == expected
            assert shown.organization.name == "Socayo"


async def test_the_last_owner_neither_leaves_nor_steps_down_nor_is_removed() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob", role="admin")
        attempts: list[Any] = [people.remove("olga"), people.set_role("olga", "member")]
        for attempt in attempts:
            assert (await refused(attempt)).reason == LAST_OWNER.word
        await people.set_role("bob", "owner")
        await people.remove("olga")
        assert (await refused(people.remove("bob", "bob"))).reason == LAST_OWNER.word
        assert await people.roles() == {"bob": "owner"}


async def test_whoever_left_can_go_elsewhere_and_come_back() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob", role="admin")
        left = await people.remove("bob", "bob")
        assert left.member.removed_at is not None
        other = People(platform)
        await other.found("bob", name="Bob's")
        _, token = await other.invite(role="owner", by="bob")
        await other.accept(token, "carol")
        await other.remove("bob", "bob")
        await people.join("bob")
        assert await people.roles() == {"bob": "member", "olga": "owner"}


async def test_removing_again_is_no_error_and_frees_who_is_elsewhere_of_nothing() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob")
        first = await people.remove("bob")
        other = People(platform)
        await other.found("bob", name="Bob's")
        again = await people.remove("bob")
        assert again.member == first.member
        assert (await refused(other.found("bob", name="Third"))).reason == ALREADY_MEMBER.word
        assert (await refused(people.remove("nobody"))).reason == MEMBER_NOT_FOUND.word


async def test_a_removal_that_comes_late_does_not_undo_a_return() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob")
        removed = await people.remove("bob")
        await people.join("bob")
        late = objects.ReleaseRequest(tenant_id=people.tenant_id, revision=removed.revision)
        await platform.call(objects.release, late, key="bob")
        assert (await refused(people.found("bob", name="Other"))).reason == ALREADY_MEMBER.word


async def test_a_deleted_organization_is_gone_and_its_members_are_free() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        await people.join("bob", role="admin")
        await people.join("carol")
        await people.remove("carol")
        _, token = await people.invite()
        request = DeleteRequest(tenant_id=people.tenant_id, by=person("bob"))
        assert (await refused(platform.call(contract.delete, request))).reason == ROLE_TOO_LOW.word
        request.by = person("olga")
        deleted = await platform.call(contract.delete, request)
        assert sorted(deleted.user_ids) == ["bob", "olga"]
        assert (await people.log())[-1].action == "organization.deleted"
        attempts: list[Any] = [
            platform.call(contract.delete, request),
            people.roles(),
            people.remove("bob"),
        ]
        for attempt in attempts:
            assert (await refused(attempt)).reason == ORGANIZATION_NOT_FOUND.word
        assert (await refused(people.accept(token, "dora"))).reason == INVITATION_NOT_FOUND.word
        again = await People(platform).found()
        assert again.organization.tenant_id != people.tenant_id
        await People(platform).found("bob", name="Bob's")


async def test_deleting_survives_every_crash() -> None:
    async def story(platform: FakePlatform) -> list[Any]:
        people = People(platform)
        await people.found()
        request = DeleteRequest(tenant_id=people.tenant_id, by=person("olga"))
        deleted = await platform.call(contract.delete, request)
        await platform.settle()
        return [deleted.user_ids, (await people.found(name="Next")).member.role]

    assert await survives_every_crash(story) > 5


async def test_every_change_of_members_is_a_later_revision() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        revisions = [
            (await people.found()).revision,
            (await people.join("bob")).revision,
            (await people.set_role("bob", "admin")).revision,
            (await people.remove("bob")).revision,
            (await people.join("bob")).revision,
        ]
        assert revisions == sorted(set(revisions))


async def test_an_organization_that_is_not_there_is_not_found() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        people.tenant_id = "nowhere"
        attempts: list[Any] = [
            people.roles(),
            people.invite(),
            people.remove("bob"),
            people.remove("olga", "olga"),
            people.set_role("bob", "admin"),
            rename(people, "olga", "x"),
            platform.call(contract.get, OrganizationRequest(tenant_id="nowhere")),
            platform.call(contract.list_invitations, ListRequest(tenant_id="nowhere")),
        ]
        for attempt in attempts:
            assert (await refused(attempt)).reason == ORGANIZATION_NOT_FOUND.word


async def test_the_audit_log_says_who_did_what_to_whom_from_where() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        invitation, token = await people.invite("bob@example.com")
        await people.accept(token, "bob")
        await people.set_role("bob", "admin")
        await rename(people, "bob", "Renamed")
        await people.remove("bob")
        log = await people.log()
        seen = [(e.action, e.actor and e.actor.user_id, e.target and e.target.id) for e in log]
        assert seen == [
            ("organization.created", "olga", people.tenant_id),
            ("invitation.created", "olga", invitation.invitation_id),
            ("member.joined", "bob", "bob"),
            ("member.role_changed", "olga", "bob"),
            ("organization.updated", "bob", people.tenant_id),
            ("member.removed", "olga", "bob"),
        ]
        assert log[3].changes == {"from": "member", "to": "admin"}
        assert all(entry.actor and entry.actor.address == "203.0.113.7" for entry in log)
        assert token not in str(log)


async def test_pages_of_members_show_each_of_them_once() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        for number in range(120):
            await people.join(f"user-{number}")
        for number in range(0, 120, 2):
            await people.remove(f"user-{number}")
        found: list[str] = []
        token = ""
        while True:
            request = ListRequest(tenant_id=people.tenant_id, page_size=7, page_token=token)
            page = await platform.call(contract.list_members, request)
            found += [each.user_id for each in page.members]
            token = page.next_page_token
            if not token:
                break
        assert found == [*(f"user-{number}" for number in range(119, 0, -2)), "olga"]


async def test_founding_joining_and_leaving_survive_every_crash() -> None:
    async def story(platform: FakePlatform) -> list[Any]:
        people = People(platform)
        made = await people.found()
        token = await _fixed_invitation(people)
        joined = await people.accept(token, "bob")
        removed = await people.remove("bob")
        await platform.settle()
        shown = [made.revision, joined.revision, removed.revision]
        return [*shown, await people.roles()]

    assert await survives_every_crash(story) > 20


async def _fixed_invitation(people: People) -> str:
    """Always the same token, so that stories can be compared."""
    token = "invite_" + "0" * 38
    request = contract.InviteRequest(
        tenant_id=people.tenant_id,
        by=person("olga"),
        role="member",
        sha256=key_text.hash_of(token),
    )
    await people.platform.call(contract.invite, request)
    return token


async def test_a_founder_elsewhere_does_not_get_anothers_organization() -> None:
    async with FakePlatform() as platform:
        people = People(platform)
        await people.found()
        request = FoundRequest(by=person("eve"), name="Socayo")
        found = await platform.call(objects.found, request, key=people.tenant_id)
        assert (found.organization, found.founded_by) == (None, "olga")
        with pytest.raises(RpcError):
            await people.found("olga", name="Another")
