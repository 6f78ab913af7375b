"""What was revoked is refused within ten seconds, at every edge, in streams that are open too."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest

from actors.firebase_bridge import reasons as firebase
from edge import reasons
from errors import Reason
from tests.support.bridge_probe import Bridge, running_bridge
from tests.support.frames import Frame, Frames, frames_of
from tests.support.second_edge import second_edge
from tests.support.stack import API, RunningStack, running_stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REVOCATION_SECONDS = 10.0
THREADS = f"{API}llm/gateway/list-threads"
READER = ["conversations:read", "conversations:write"]

Headers = dict[str, str]


class Edges:
    """A platform behind two edges, with the bridge in the test's hands."""

    def __init__(self, stack: RunningStack, bridge: Bridge, urls: list[str]) -> None:
        self.stack = stack
        self.bridge = bridge
        self.urls = urls

    async def call(self, url: str, path: str, headers: Headers, body: Any = None) -> httpx.Response:
        """POST to one of the edges."""
        async with httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as http:
            return await http.post(f"{url}{path}", json=body or {}, headers=headers)

    async def lets_in(self, headers: Headers) -> bool:
        """Whether the first edge lets the credential in."""
        return (await self.call(self.urls[0], THREADS, headers)).status_code == 200

    async def accepted(self, headers: Headers) -> None:
        """Every edge lets the credential in, and so remembers that it is good."""
        for url in self.urls:
            answer = await self.call(url, THREADS, headers)
            assert answer.status_code == 200, answer.text

    async def refused(self, headers: Headers, reason: Reason) -> float:
        """How long it took until every edge refused a credential in use, for this reason."""
        began = time.monotonic()

        async def until_refused(url: str) -> None:
            async def refusal() -> Any:
                answer = await self.call(url, THREADS, headers)
                return None if answer.status_code == 200 else answer.json()

            assert word_of(await self.stack.wait_until(refusal, 60)) == reason.word

        await asyncio.gather(*map(until_refused, self.urls))
        return time.monotonic() - began

    async def member(self, tenant_id: str = "acme", role: str = "member") -> tuple[str, Headers]:
        """A new user of a tenant with a token that Firebase's double made."""
        user_id = f"user-{uuid.uuid4().hex[:12]}"
        await self.stack.token(sub=user_id)
        await self.bridge.set(user_id, tenant_id, role)
        return user_id, bearer(await self.stack.token(sub=user_id))

    async def key(self, **settings: Any) -> tuple[str, Headers, Headers]:
        """A new key: its id, its header, and the header of the person who manages it."""
        _, admin = await self.member(f"tenant-{uuid.uuid4().hex[:8]}", "admin")
        body = {"name": "test", "permissions": READER, **settings}
        made = await self.call(self.urls[0], f"{API}api-keys/create", admin, body)
        key = made.json()["result"]
        return key["key_id"], {"x-api-key": key["key"]}, admin

    async def revoke_key(self, key_id: str, admin: Headers) -> None:
        """As the person does."""
        body = {"key_id": key_id}
        answer = await self.call(self.urls[0], f"{API}api-keys/revoke", admin, body)
        assert answer.status_code == 200

    @asynccontextmanager
    async def stream(self, url: str, headers: Headers) -> AsyncGenerator[Frames]:
        """An open stream on a new thread, which has said what there was to say."""
        thread = {"conversationKey": f"c-{uuid.uuid4().hex}"}
        await self.call(url, f"{API}llm/gateway/create-thread", headers, thread)
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as http,
            http.stream(
                "POST", f"{url}{API}llm/gateway/stream-events", json=thread, headers=headers
            ) as answer,
        ):
            assert answer.status_code == 200
            yield frames_of(answer)


def bearer(token: str) -> Headers:
    """The header of a token."""
    return {"authorization": f"Bearer {token}"}


def word_of(body: Any) -> str:
    """The reason in an error."""
    return body["error"]["details"]["reason"]


def claims_of(headers: Headers) -> dict[str, Any]:
    """What a token claims."""
    token = headers["authorization"].partition(" ")[2]
    return jwt.decode(token, options={"verify_signature": False})


async def last_of(frames: Frames) -> tuple[Frame, float]:
    """The last frame of a stream, and how long it took to come."""
    began = time.monotonic()
    last = Frame()
    async with asyncio.timeout(60):
        async for frame in frames:
            last = last if frame.comment else frame
    return last, time.monotonic() - began


@pytest.fixture(scope="module")
def edges() -> Iterator[Edges]:
    with (
        running_stack() as stack,
        second_edge(stack) as other,
        running_bridge(stack) as bridge,
    ):
        yield Edges(stack, bridge, [stack.base_url, other])


async def test_claims_that_are_set_are_in_the_next_token(edges: Edges) -> None:
    _, headers = await edges.member("acme", "admin")
    claims = claims_of(headers)
    assert (claims["tenant_id"], claims["role"]) == ("acme", "admin")
    await edges.accepted(headers)


async def test_an_ended_session_is_refused_at_every_edge_within_ten_seconds(edges: Edges) -> None:
    user_id, headers = await edges.member()
    await edges.accepted(headers)
    await edges.bridge.revoke(user_id)
    assert await edges.refused(headers, reasons.SESSION_ENDED) < REVOCATION_SECONDS


async def test_whoever_signs_in_again_after_that_is_let_in(edges: Edges) -> None:
    user_id, _ = await edges.member()
    await edges.bridge.revoke(user_id)
    later = bearer(await edges.stack.token(sub=user_id, auth_time=int(time.time()) + 1))
    await edges.accepted(later)


async def test_a_member_who_was_removed_is_refused_at_every_edge_within_ten_seconds(
    edges: Edges,
) -> None:
    user_id, headers = await edges.member()
    await edges.accepted(headers)
    await edges.bridge.clear(user_id, "acme")
    assert await edges.refused(headers, reasons.TOKEN_STALE) < REVOCATION_SECONDS
    await edges.bridge.apply(user_id)
    fresh = bearer(await edges.stack.token(sub=user_id))
    assert "tenant_id" not in claims_of(fresh)
    answer = await edges.call(edges.urls[0], THREADS, fresh)
    assert word_of(answer.json()) == reasons.TENANT_MISSING.word


async def test_a_role_that_was_taken_away_is_refused_until_the_token_is_renewed(
    edges: Edges,
) -> None:
    user_id, headers = await edges.member("acme", "admin")
    await edges.accepted(headers)
    await edges.bridge.set(user_id, "acme", "member")
    assert await edges.refused(headers, reasons.TOKEN_STALE) < REVOCATION_SECONDS
    await edges.accepted(bearer(await edges.stack.token(sub=user_id)))


async def test_a_revoked_key_is_refused_at_every_edge_within_ten_seconds(edges: Edges) -> None:
    key_id, headers, admin = await edges.key()
    await edges.accepted(headers)
    await edges.revoke_key(key_id, admin)
    assert await edges.refused(headers, reasons.KEY_REVOKED) < REVOCATION_SECONDS


async def test_rights_are_taken_away_although_firebase_is_down(edges: Edges) -> None:
    user_id, headers = await edges.member()
    await edges.accepted(headers)
    faults = f"{edges.stack.processes.cloud_url}/faults/firebase"
    async with httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as http:
        await http.put(faults, json={"kind": "status", "status": 503})
        try:
            await edges.bridge.clear(user_id, "acme")
            assert await edges.refused(headers, reasons.TOKEN_STALE) < REVOCATION_SECONDS
            assert await edges.bridge.apply(user_id) == firebase.UNAVAILABLE.code.http_status
        finally:
            await http.delete(faults)

    async def forgotten() -> bool:
        fresh = bearer(await edges.stack.token(sub=user_id))
        return "tenant_id" not in claims_of(fresh)

    await edges.stack.wait_until(forgotten, 60)


async def test_an_open_stream_ends_when_its_session_ends(edges: Edges) -> None:
    user_id, headers = await edges.member()
    async with edges.stream(edges.urls[1], headers) as frames:
        await edges.bridge.revoke(user_id)
        last, seconds = await last_of(frames)
    assert (last.event, word_of(last.data)) == ("error", reasons.SESSION_ENDED.word)
    assert last.data["error"]["code"] == "UNAUTHENTICATED"
    assert seconds < REVOCATION_SECONDS


async def test_an_open_stream_ends_when_its_reader_is_removed(edges: Edges) -> None:
    user_id, headers = await edges.member()
    async with edges.stream(edges.urls[0], headers) as frames:
        await edges.bridge.clear(user_id, "acme")
        last, seconds = await last_of(frames)
    assert (last.event, word_of(last.data)) == ("error", reasons.TOKEN_STALE.word)
    assert seconds < REVOCATION_SECONDS


async def test_an_open_stream_ends_when_its_key_is_revoked(edges: Edges) -> None:
    key_id, headers, admin = await edges.key()
    async with edges.stream(edges.urls[1], headers) as frames:
        await edges.revoke_key(key_id, admin)
        last, seconds = await last_of(frames)
    assert (last.event, word_of(last.data)) == ("error", reasons.KEY_REVOKED.word)
    assert seconds < REVOCATION_SECONDS


async def test_an_open_stream_ends_when_its_key_loses_the_scope(edges: Edges) -> None:
    key_id, headers, admin = await edges.key()
    async with edges.stream(edges.urls[0], headers) as frames:
        change = {"key_id": key_id, "permissions": ["models:read"]}
        await edges.call(edges.urls[0], f"{API}api-keys/update", admin, change)
        last, seconds = await last_of(frames)
    assert (last.event, word_of(last.data)) == ("error", reasons.SCOPE_MISSING.word)
    assert seconds < REVOCATION_SECONDS


async def test_a_stream_of_whoever_stays_goes_on_while_others_are_revoked(edges: Edges) -> None:
    user_id, leaving = await edges.member()
    _, staying = await edges.member()
    async with (
        edges.stream(edges.urls[0], leaving) as ended,
        edges.stream(edges.urls[0], staying) as kept,
    ):
        await edges.bridge.revoke(user_id)
        await last_of(ended)
        reading = asyncio.ensure_future(last_of(kept))
        done, _ = await asyncio.wait({reading}, timeout=3)
        assert not done
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_pull_that_waited_tells_nothing_to_whom_was_revoked_meanwhile(
    edges: Edges,
) -> None:
    user_id, headers = await edges.member()
    thread = {"conversationKey": f"c-{uuid.uuid4().hex}"}
    url = edges.urls[0]
    await edges.call(url, f"{API}llm/gateway/create-thread", headers, thread)
    pull = {**thread, "wait": "12s"}
    pulling = asyncio.ensure_future(edges.call(url, f"{API}llm/gateway/pull-events", headers, pull))
    await asyncio.sleep(0.2)
    await edges.bridge.revoke(user_id)
    answer = await pulling
    assert answer.status_code == 401
    assert word_of(answer.json()) == reasons.SESSION_ENDED.word


async def test_an_open_stream_outlives_an_outage_in_which_nothing_can_be_verified() -> None:
    with running_stack() as stack, running_bridge(stack) as bridge:
        edges = Edges(stack, bridge, [stack.base_url])
        user_id, headers = await edges.member()
        async with edges.stream(stack.base_url, headers) as frames:
            await stack.kill("restate")
            await stack.wait_until(lambda: failed_lookups(stack))
            await stack.start("restate")
            reading = asyncio.ensure_future(last_of(frames))
            await stack.wait_until(lambda: edges.lets_in(headers))
            assert not reading.done()
            await bridge.revoke(user_id)
            last, _ = await reading
        assert word_of(last.data) == reasons.SESSION_ENDED.word


async def failed_lookups(stack: RunningStack) -> bool:
    """Whether the edge could not look a user up."""
    async with httpx.AsyncClient(timeout=10, trust_env=False, verify=False) as http:
        metrics = await http.get(f"{stack.processes.private_url}/metrics")
    return 'edge_user_lookups_total{result="failed"}' in metrics.text
