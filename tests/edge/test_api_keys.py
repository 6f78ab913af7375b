"""API keys as people manage them and programs use them, on the running platform."""

import time
import uuid
from typing import Any

import pytest

from chassis import key_text
from edge import reasons
from gateways.auth import contract as auth
from services.api_key.reasons import KEY_NOT_ACTIVE, KEY_NOT_FOUND
from tests.support.stack import Answer, RunningStack

pytestmark = pytest.mark.anyio

THREADS = "llm/gateway/list-threads"
ADMINISTERING = [
    rpc for rpc in auth.component.rpcs if rpc.route and rpc.route.scope.startswith("keys:")
]
READER = ["conversations:read"]
REVOCATION_SECONDS = 10


class Dashboard:
    """A person of one organization who manages its keys."""

    def __init__(self, stack: RunningStack, token: str) -> None:
        self.stack = stack
        self.token = token

    async def call(self, method: str, body: Any = None, **headers: str) -> Answer:
        """A method of the keys' gateway."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.stack.call(f"api-keys/{method}", body, token=self.token, headers=named)

    async def create(self, **settings: Any) -> dict[str, Any]:
        """A key that may read conversations, unless the settings say otherwise."""
        answer = await self.call("create", {"name": "test", "permissions": READER, **settings})
        assert answer.status == 200, answer.body
        return answer.body["result"]


async def dashboard(stack: RunningStack, tenant_id: str, role: str = "admin") -> Dashboard:
    """Somebody of a tenant."""
    token = await stack.token(sub=f"{role}-of-{tenant_id}", tenant_id=tenant_id, role=role)
    return Dashboard(stack, token)


@pytest.fixture
async def admin(stack: RunningStack) -> Dashboard:
    """The administrator of a tenant that no other test has."""
    return await dashboard(stack, f"tenant-{uuid.uuid4().hex[:8]}")


def reason_of(answer: Answer) -> str:
    """The reason of a refusal."""
    return answer.body["error"]["details"]["reason"]


async def until_refused(stack: RunningStack, key: str, **more: Any) -> tuple[float, str]:
    """How long the key goes on working, and why it is refused then."""
    started = time.monotonic()

    async def refused() -> Answer | None:
        answer = await stack.call(THREADS, key=key, **more)
        return answer if answer.status == 401 else None

    answer = await stack.wait_until(refused, REVOCATION_SECONDS)
    assert answer is not None
    return time.monotonic() - started, reason_of(answer)


async def test_a_key_is_shown_once_and_works_at_once(stack: RunningStack, admin: Dashboard) -> None:
    made = await admin.create(description="for tests", rate_limit={"requests_per_minute": 1000})
    key = made.pop("key")
    assert key_text.is_whole(key)
    assert key.startswith(made["key_prefix"])
    assert made["key_id"].startswith("key_")
    assert (made["status"], made["type"]) == ("ACTIVE", "SECRET")
    assert made["rate_limit"] == {"requests_per_minute": 1000}
    answer = await stack.call(THREADS, key=key)
    assert (answer.status, answer.body) == (200, {"threads": []})
    assert answer.headers["ratelimit-limit"] == "1000"
    for method, body in (("get", {"key_id": made["key_id"]}), ("list", {})):
        shown = await admin.call(method, body)
        assert shown.status == 200
        assert key not in str(shown.body)
        assert made["key_prefix"] in str(shown.body)


async def test_a_repeat_answers_the_same_key_without_its_text(
    stack: RunningStack, admin: Dashboard
) -> None:
    body = {"name": "once", "permissions": READER}
    first = await admin.call("create", body, idempotency_key="one")
    again = await admin.call("create", body, idempotency_key="one")
    key = first.body["result"].pop("key")
    assert again.body == first.body
    assert "key" not in again.body["result"]
    assert (await stack.call(THREADS, key=key)).status == 200
    other = await admin.call("create", {**body, "name": "two"}, idempotency_key="one")
    assert reason_of(other) == reasons.IDEMPOTENCY_CONFLICT.word
    listed = await admin.call("list")
    assert len(listed.body["api_keys"]) == 1


async def test_a_repeated_rotation_makes_one_new_text(
    stack: RunningStack, admin: Dashboard
) -> None:
    made = await admin.create()
    body = {"key_id": made["key_id"], "grace": "3600s"}
    first = await admin.call("rotate", body, idempotency_key="r")
    again = await admin.call("rotate", body, idempotency_key="r")
    new = first.body["result"].pop("key")
    assert again.body == first.body
    for key in (made["key"], new):
        assert (await stack.call(THREADS, key=key)).status == 200


async def test_a_revoked_key_stops_working_within_ten_seconds(
    stack: RunningStack, admin: Dashboard
) -> None:
    made = await admin.create()
    assert (await stack.call(THREADS, key=made["key"])).status == 200
    revoked = await admin.call("revoke", {"key_id": made["key_id"]})
    assert revoked.body["result"]["status"] == "REVOKED"
    seconds, reason = await until_refused(stack, made["key"])
    assert seconds < REVOCATION_SECONDS
    assert reason == reasons.KEY_REVOKED.word
    again = await admin.call("rotate", {"key_id": made["key_id"]})
    assert (again.status, reason_of(again)) == (400, KEY_NOT_ACTIVE.word)


async def test_a_repeated_revocation_answers_the_same_and_is_told_once(admin: Dashboard) -> None:
    made, other = await admin.create(name="ended"), await admin.create(name="other")
    body = {"key_id": made["key_id"]}
    first = await admin.call("revoke", body, idempotency_key="end")
    again = await admin.call("revoke", body, idempotency_key="end")
    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    conflict = await admin.call("revoke", {"key_id": other["key_id"]}, idempotency_key="end")
    assert reason_of(conflict) == reasons.IDEMPOTENCY_CONFLICT.word
    # Without its key it is another revocation, of a key that is over.
    later = await admin.call("revoke", body)
    assert later.body == first.body
    # The log is in order: with the second key in it, nothing of the first is to come.
    await admin.call("revoke", {"key_id": other["key_id"]})

    async def told() -> list[str] | None:
        asked = {"action": "api_key.revoked"}
        answer = await admin.stack.call("orgs/audit-log", asked, token=admin.token)
        names = [entry["target"]["name"] for entry in answer.body["entries"]]
        return names if "other" in names else None

    assert await admin.stack.wait_until(told) == ["other", "ended"]


async def test_a_text_that_was_rotated_away_ends_with_its_grace(
    stack: RunningStack, admin: Dashboard
) -> None:
    made = await admin.create()
    assert (await stack.call(THREADS, key=made["key"])).status == 200
    rotated = await admin.call("rotate", {"key_id": made["key_id"], "grace": "0s"})
    _, reason = await until_refused(stack, made["key"])
    assert reason == reasons.KEY_EXPIRED.word
    assert (await stack.call(THREADS, key=rotated.body["result"]["key"])).status == 200


async def test_a_publishable_key_goes_with_the_tokens_of_its_issuer(
    stack: RunningStack, admin: Dashboard
) -> None:
    oidc = {"issuer": stack.processes.issuer_url, "audience": "yocaso-dev"}
    made = await admin.create(type="PUBLISHABLE", oidc=oidc)
    assert made["key"].startswith("pk_")
    token = await stack.token(sub="an end user")
    answer = await stack.call(THREADS, key=made["key"], token=token)
    assert (answer.status, answer.body) == (200, {"threads": []})
    await admin.call("revoke", {"key_id": made["key_id"]})
    _, reason = await until_refused(stack, made["key"], token=token)
    assert reason == reasons.KEY_REVOKED.word


async def test_usage_is_told_by_day_and_family(stack: RunningStack, admin: Dashboard) -> None:
    made = await admin.create()
    for _ in range(3):
        await stack.call(THREADS, key=made["key"])
    await stack.call("llm/gateway/create-thread", key=made["key"])

    async def counted() -> Any:
        answer = await admin.call("usage", {"key_id": made["key_id"]})
        days = answer.body["days"]
        return days if days and days[0]["requests"] == "4" else None

    (day,) = await stack.wait_until(counted)
    assert day["errors"] == "1"
    assert day["families"] == [{"family": "llm", "requests": "4", "errors": "1"}]
    shown = await admin.call("get", {"key_id": made["key_id"]})
    assert shown.body["result"]["last_used_at"]


async def test_keys_of_another_tenant_are_as_if_there_were_none(
    stack: RunningStack, admin: Dashboard
) -> None:
    made = await admin.create()
    stranger = await dashboard(stack, f"tenant-{uuid.uuid4().hex[:8]}")
    assert (await stranger.call("list")).body == {"api_keys": []}
    for method in ("get", "update", "revoke", "rotate", "usage"):
        others = await stranger.call(method, {"key_id": made["key_id"]})
        missing = await stranger.call(method, {"key_id": "key_01KB000000000000000000000"})
        assert others.status == 404
        assert reason_of(others) == KEY_NOT_FOUND.word
        for answer in (others, missing):
            del answer.body["error"]["details"]["requestId"]
        assert others.body == missing.body


@pytest.mark.parametrize("rpc", ADMINISTERING, ids=lambda rpc: rpc.name)
async def test_only_people_who_may_administer_manage_keys(stack: RunningStack, rpc: Any) -> None:
    path = rpc.route.path.removeprefix("/api/v1/")
    by_key = await stack.call(path)
    assert (by_key.status, reason_of(by_key)) == (403, reasons.MODE_NOT_ALLOWED.word)
    member = await stack.token(tenant_id="acme", role="member")
    by_member = await stack.call(path, token=member)
    assert (by_member.status, reason_of(by_member)) == (403, reasons.SCOPE_MISSING.word)
    nobody = await stack.call(path, token=await stack.token())
    assert (nobody.status, reason_of(nobody)) == (403, reasons.TENANT_MISSING.word)


async def test_everything_wrong_with_a_new_key_is_told_at_once(admin: Dashboard) -> None:
    answer = await admin.call(
        "create",
        {
            "permissions": ["Conversations"],
            "rateLimit": {"requestsPerMinute": 0},
            "expiresAt": "soon",
            "allowedOrigins": ["https://app.example/path"],
        },
    )
    assert answer.status == 400
    fields = {each["field"] for each in answer.body["error"]["details"]["fieldViolations"]}
    assert len(fields) == 5


async def test_no_key_is_anywhere_behind_the_edge(stack: RunningStack, admin: Dashboard) -> None:
    """The search is proved by what it must find: the beginnings and the hashes of the keys."""
    made = await admin.create(name="findable")
    rotated = (await admin.call("rotate", {"key_id": made["key_id"]})).body["result"]
    for key in (made["key"], rotated["key"]):
        await stack.call(THREADS, key=key)
    assert (await stack.call(THREADS, key=made["key"][:-1] + "_")).status == 401
    await admin.call("revoke", {"key_id": made["key_id"]})
    restate = stack.processes.restate
    kept = str(restate.query("SELECT value_utf8, key FROM state"))
    kept += str(restate.query("SELECT * FROM sys_invocation"))
    kept += str(restate.query("SELECT * FROM sys_journal"))
    kept += "".join(stack.log(name) for name in ("handlers", "edge", "restate", "local-cloud"))
    for path in stack.processes.options.data_path.rglob("*"):
        if path.is_file():
            kept += path.read_bytes().decode("latin-1")
    for key in (made["key"], rotated["key"]):
        assert key_text.hash_of(key) in kept
        assert key not in kept
        assert key[3:30] not in kept
    assert rotated["key_prefix"] in kept
