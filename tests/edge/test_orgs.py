"""Organizations as people use them, on the running platform: with real tokens that claim them."""

from typing import Any

import pytest

from chassis import key_text
from edge import reasons
from services.organization.reasons import (
    ALREADY_MEMBER,
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    LAST_OWNER,
    MEMBER_NOT_FOUND,
    ROLE_TOO_LOW,
)
from tests.support.people import Person, newcomer, refused_with, with_members
from tests.support.stack import Answer, RunningStack

pytestmark = pytest.mark.anyio

THREADS = "llm/gateway/list-threads"
REVOCATION_SECONDS = 10


async def test_a_user_without_a_tenant_makes_an_organization_and_the_next_token_names_it(
    stack: RunningStack,
) -> None:
    olga = await newcomer(stack, "olga")
    assert refused_with(await olga.call(THREADS)) == (403, reasons.TENANT_MISSING.word)
    made = await olga.call("orgs/create", {"name": "Socayo GmbH"})
    assert made.status == 200, made.body
    tenant = made.body["organization"]["tenantId"]
    assert tenant.startswith("socayo-gmbh-")
    assert made.body["member"]["role"] == "owner"
    await olga.refresh()
    shown = await olga.call("orgs/get")
    assert shown.body["organization"] == made.body["organization"]
    assert (await olga.call(THREADS)).body == {"threads": []}
    assert (await olga.call("api-keys/list")).status == 200


async def test_a_repeat_of_create_answers_the_same_and_another_name_is_refused(
    stack: RunningStack,
) -> None:
    olga = await newcomer(stack, "olga")
    first = await olga.call("orgs/create", {"name": "Socayo"}, idempotency_key="one")
    again = await olga.call("orgs/create", {"name": "Socayo"}, idempotency_key="one")
    other_key = await olga.call("orgs/create", {"name": "Socayo"})
    assert first.body == again.body == other_key.body
    await olga.refresh()
    refreshed = await olga.call("orgs/create", {"name": "Socayo"}, idempotency_key="one")
    assert refreshed.body == first.body
    second = await olga.call("orgs/create", {"name": "Another"})
    assert refused_with(second) == (400, ALREADY_MEMBER.word)


async def test_an_invitations_token_is_shown_once_and_opens_the_door_once(
    stack: RunningStack,
) -> None:
    olga = await newcomer(stack, "olga")
    await olga.found()
    bob, carol = await newcomer(stack, "bob"), await newcomer(stack, "carol")
    asked = {"email": bob.email, "role": "admin", "expiresIn": "3600s"}
    first = await olga.call("orgs/invite-member", asked, idempotency_key="i")
    again = await olga.call("orgs/invite-member", asked, idempotency_key="i")
    token = first.body["invitation"].pop("token")
    assert key_text.is_whole_invitation(token)
    assert again.body == first.body
    listed = await olga.call("orgs/list-invitations")
    assert token not in str(listed.body)
    assert listed.body["invitations"] == [first.body["invitation"]]
    for_another = await carol.call("orgs/accept-invitation", {"token": token})
    assert refused_with(for_another) == (403, INVITATION_OF_ANOTHER.word)
    joined = await bob.call("orgs/accept-invitation", {"token": token})
    assert (joined.status, joined.body["member"]["role"]) == (200, "admin")
    await bob.refresh()
    assert (await bob.call("orgs/get")).body["organization"]["memberCount"] == 2
    used = await carol.call("orgs/accept-invitation", {"token": token})
    assert refused_with(used) == (400, INVITATION_NOT_OPEN.word)
    for wrong in (token[:-1] + "_", key_text.new(key_text.INVITATION), "x"):
        answer = await carol.call("orgs/accept-invitation", {"token": wrong})
        assert refused_with(answer) == (404, INVITATION_NOT_FOUND.word)


async def until_refused(person: Person, path: str = THREADS) -> Answer:
    """The refusal of a token that was good, which must come in time."""

    async def refused() -> Answer | None:
        answer = await person.call(path)
        return answer if answer.status == 401 else None

    answer = await person.stack.wait_until(refused, REVOCATION_SECONDS)
    assert answer is not None
    return answer


async def test_a_removed_member_is_out_within_ten_seconds_and_a_new_token_brings_nothing_back(
    stack: RunningStack,
) -> None:
    olga, bob = await with_members(stack, "owner", "member")
    assert (await bob.call(THREADS)).status == 200
    removed = await olga.call("orgs/remove-member", {"userId": bob.user_id})
    assert removed.status == 200, removed.body
    assert removed.body["accessEndsWithin"] == "10s"
    assert removed.body["data"] == {"conversations": "KEPT", "apiKeys": "KEPT"}
    ended = await until_refused(bob)
    assert refused_with(ended)[1] in (reasons.SESSION_ENDED.word, reasons.TOKEN_STALE.word)
    await bob.refresh()

    async def signed_in_again() -> bool:
        answer = await bob.call(THREADS)
        if answer.status == 401:  # signed in within the second in which the session ended
            await bob.refresh()
        return refused_with(answer) == (403, reasons.TENANT_MISSING.word)

    await stack.wait_until(signed_in_again, REVOCATION_SECONDS)
    again = await olga.call("orgs/remove-member", {"userId": bob.user_id})
    assert again.body["member"] == removed.body["member"]
    nobody = await olga.call("orgs/remove-member", {"userId": "nobody"})
    assert refused_with(nobody) == (404, MEMBER_NOT_FOUND.word)


async def test_a_changed_role_ends_earlier_tokens_with_a_reason_that_says_what_helps(
    stack: RunningStack,
) -> None:
    olga, bob = await with_members(stack, "owner", "admin")
    assert (await bob.call("api-keys/list")).status == 200
    changed = await olga.call("orgs/set-member-role", {"userId": bob.user_id, "role": "member"})
    assert changed.body["member"]["role"] == "member"
    ended = await until_refused(bob, "api-keys/list")
    assert refused_with(ended)[1] == reasons.TOKEN_STALE.word

    async def has_the_role() -> bool:
        await bob.refresh()
        answer = await bob.call("api-keys/list")
        return refused_with(answer) == (403, reasons.SCOPE_MISSING.word)

    await stack.wait_until(has_the_role)
    assert (await bob.call(THREADS)).status == 200


async def test_the_last_owner_can_neither_leave_nor_step_down(stack: RunningStack) -> None:
    olga, bob = await with_members(stack, "owner", "admin")
    for path, body in (
        ("orgs/leave", {}),
        ("orgs/remove-member", {"userId": olga.user_id}),
        ("orgs/set-member-role", {"userId": olga.user_id, "role": "member"}),
    ):
        assert refused_with(await olga.call(path, body)) == (400, LAST_OWNER.word)
    attempts: list[tuple[str, dict[str, str]]] = [
        ("orgs/remove-member", {"userId": olga.user_id}),
        ("orgs/set-member-role", {"userId": bob.user_id, "role": "owner"}),
        ("orgs/invite-member", {"role": "owner"}),
    ]
    for path, body in attempts:
        assert refused_with(await bob.call(path, body)) == (403, ROLE_TOO_LOW.word)
    left = await bob.call("orgs/leave")
    assert left.body["member"]["userId"] == bob.user_id
    assert [each["userId"] for each in (await members(olga))] == [olga.user_id]


async def members(person: Person) -> list[dict[str, Any]]:
    """The organization's members."""
    return (await person.call("orgs/list-members")).body["members"]


async def test_members_cannot_administer_and_nobody_sees_another_organization(
    stack: RunningStack,
) -> None:
    olga, bob = await with_members(stack, "owner", "member")
    stranger = await newcomer(stack, "stranger")
    await stranger.found()
    for path, body in (
        ("orgs/update", {"name": "Mine"}),
        ("orgs/invite-member", {"role": "member"}),
        ("orgs/set-member-role", {"userId": bob.user_id, "role": "owner"}),
        ("orgs/remove-member", {"userId": olga.user_id}),
        ("orgs/list-invitations", {}),
        ("orgs/audit-log", {}),
    ):
        assert refused_with(await bob.call(path, body)) == (403, reasons.SCOPE_MISSING.word)
    for path, body in (
        ("orgs/set-member-role", {"userId": bob.user_id, "role": "owner"}),
        ("orgs/remove-member", {"userId": bob.user_id}),
    ):
        assert refused_with(await stranger.call(path, body)) == (404, MEMBER_NOT_FOUND.word)
    assert len(await members(stranger)) == 1
    assert bob.user_id not in str((await stranger.call("orgs/audit-log")).body)


async def test_the_audit_log_says_who_what_from_where_and_never_a_secret(
    stack: RunningStack,
) -> None:
    olga, bob = await with_members(stack, "owner", "admin")
    named = {"user_agent": "dashboard/1.0"}
    made = (await bob.call("api-keys/create", {"name": "Server"}, **named)).body["result"]
    await bob.call("api-keys/update", {"key_id": made["key_id"], "name": "Back end"}, **named)
    rotated = await bob.call("api-keys/rotate", {"key_id": made["key_id"]}, **named)
    await bob.call("api-keys/revoke", {"key_id": made["key_id"]}, **named)
    invited = await olga.call("orgs/invite-member", {"role": "member"})

    async def logged() -> list[dict[str, Any]] | None:
        entries = (await olga.call("orgs/audit-log")).body["entries"]
        return entries if len(entries) == 8 else None

    entries = await stack.wait_until(logged)
    assert entries is not None
    assert [entry["action"] for entry in entries][::-1] == [
        "organization.created", "invitation.created", "member.joined",
        "api_key.created", "api_key.updated", "api_key.rotated", "api_key.revoked",
        "invitation.created",
    ]  # fmt: skip
    assert all(entry["actor"]["requestId"] for entry in entries)
    revoked = entries[1]
    assert revoked["actor"]["userId"] == bob.user_id
    assert revoked["actor"]["email"] == bob.email
    assert revoked["actor"]["address"] == "127.0.0.1"
    assert revoked["actor"]["userAgent"] == "dashboard/1.0"
    assert revoked["target"] == {"type": "api_key", "id": made["key_id"], "name": "Back end"}
    for secret in (
        made["key"], rotated.body["result"]["key"], invited.body["invitation"]["token"], bob.token,
    ):  # fmt: skip
        assert secret[8:] not in str(entries)
    keys = await olga.call("orgs/audit-log", {"action": "api_key", "actor": bob.user_id})
    assert len(keys.body["entries"]) == 4
    page = await olga.call("orgs/audit-log", {"pageSize": 3})
    rest = await olga.call("orgs/audit-log", {"pageToken": page.body["nextPageToken"]})
    assert page.body["entries"] + rest.body["entries"] == entries


async def test_a_call_made_for_a_user_is_logged_with_both_names(stack: RunningStack) -> None:
    olga = await newcomer(stack, "olga")
    await olga.found()
    scopes = ["conversations:read", "users:impersonate"]
    made = await olga.call("api-keys/create", {"name": "Server", "permissions": scopes})
    key = made.body["result"]
    for _ in range(3):
        acting = {"x-on-behalf-of": "u1:anna", "user-agent": "server/1.0"}
        await stack.call(THREADS, key=key["key"], headers=acting)

    async def logged() -> list[dict[str, Any]]:
        found = await olga.call("orgs/audit-log", {"action": "user.impersonated"})
        return found.body["entries"] if sum(e["calls"] for e in found.body["entries"]) == 3 else []

    entry = (await stack.wait_until(logged))[0]
    assert entry["actor"]["userId"] == "u1:anna"
    assert entry["actor"]["impersonator"] == f"svc:{key['key_id']}"
    assert entry["actor"]["userAgent"] == "server/1.0"
    assert entry["target"] == {"type": "method", "id": "LLMGateway/ListThreads"}


async def test_a_key_with_the_scopes_reads_the_organization_and_changes_nothing(
    stack: RunningStack,
) -> None:
    olga = await newcomer(stack, "olga")
    await olga.found()
    scopes = ["orgs:read", "audit:read"]
    made = await olga.call("api-keys/create", {"name": "Export", "permissions": scopes})
    assert made.status == 200, made.body
    key = made.body["result"]["key"]
    for path in ("orgs/get", "orgs/list-members", "orgs/audit-log"):
        assert (await stack.call(path, key=key)).status == 200
    for path in ("orgs/update", "orgs/leave", "orgs/create", "orgs/remove-member"):
        answer = await stack.call(path, key=key)
        assert refused_with(answer) == (403, reasons.MODE_NOT_ALLOWED.word)


async def test_a_leaked_key_is_ended_by_whoever_has_it_and_its_owners_are_told(
    stack: RunningStack,
) -> None:
    olga, finder = await newcomer(stack, "olga"), await newcomer(stack, "finder")
    await olga.found()
    await finder.found()
    key = (await olga.call("api-keys/create", {"name": "Leaked"})).body["result"]
    found = await finder.call("api-keys/revoke-leaked", {"key": key["key"]})
    assert found.status == 200, found.body
    assert found.body["key_prefix"] == key["key_prefix"]
    assert found.body["status"] == "REVOKED"
    assert "Leaked" not in str(found.body)
    shown = await olga.call("api-keys/get", {"key_id": key["key_id"]})
    assert shown.body["result"]["status"] == "REVOKED"

    async def logged() -> list[dict[str, Any]]:
        answer = await olga.call("orgs/audit-log", {"action": "api_key.revoked"})
        return answer.body["entries"]

    (entry,) = await stack.wait_until(logged)
    assert entry["changes"]["why"] == "leaked"
    assert entry["actor"]["userId"] == finder.user_id
    assert "email" not in entry["actor"]
    for wrong in (key_text.new("sk_"), key["key"][:-1], "x"):
        answer = await finder.call("api-keys/revoke-leaked", {"key": wrong})
        assert answer.status == 404


async def test_the_keys_and_tokens_of_a_deleted_organization_are_refused(
    stack: RunningStack,
) -> None:
    olga, bob = await with_members(stack, "owner", "admin")
    tenant = (await olga.call("orgs/get")).body["organization"]["tenantId"]
    asked = {"name": "Server", "permissions": ["conversations:read"]}
    key = (await bob.call("api-keys/create", asked)).body["result"]["key"]
    assert (await stack.call(THREADS, key=key)).status == 200
    by_admin = await bob.call("orgs/delete", {"confirm": tenant})
    assert refused_with(by_admin) == (403, ROLE_TOO_LOW.word)
    unsure = await olga.call("orgs/delete", {"confirm": "another"})
    assert unsure.status == 400
    deleted = await olga.call("orgs/delete", {"confirm": tenant})
    assert deleted.status == 200, deleted.body
    assert (deleted.body["revokedKeys"], deleted.body["conversations"]) == (1, "KEPT")

    async def refused() -> Answer | None:
        answer = await stack.call(THREADS, key=key)
        return answer if answer.status == 401 else None

    answer = await stack.wait_until(refused, REVOCATION_SECONDS)
    assert answer is not None
    assert refused_with(answer)[1] == reasons.KEY_REVOKED.word
    for person in (olga, bob):
        assert refused_with(await until_refused(person))[1] == reasons.TOKEN_STALE.word

    async def free() -> bool:
        await bob.refresh()
        return (await bob.call("orgs/create", {"name": "Next"})).status == 200

    await stack.wait_until(free)


async def test_no_token_of_an_invitation_is_anywhere_behind_the_edge(stack: RunningStack) -> None:
    """The search is proved by what it must find: the token's hash."""
    olga = await newcomer(stack, "olga")
    await olga.found()
    made = await olga.call("orgs/invite-member", {"role": "member"})
    token = made.body["invitation"]["token"]
    bob = await newcomer(stack, "bob")
    await bob.call("orgs/accept-invitation", {"token": token})
    restate = stack.processes.restate
    kept = str(restate.query("SELECT value_utf8, key, service_key FROM state"))
    kept += str(restate.query("SELECT * FROM sys_invocation"))
    kept += str(restate.query("SELECT * FROM sys_journal"))
    kept += "".join(stack.log(name) for name in ("handlers", "edge", "restate", "local-cloud"))
    for path in stack.processes.options.data_path.rglob("*"):
        if path.is_file():
            kept += path.read_bytes().decode("latin-1")
    assert key_text.hash_of(token) in kept
    assert token not in kept
    assert token[7:40] not in kept
