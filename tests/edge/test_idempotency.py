"""One key, one effect: for the same caller, route and body, over crashes and repeats."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from devstack.keys import SecretKey
from edge import reasons
from tests.support.edges import error_of
from tests.support.probe_stack import ProbeStack
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


class Client:
    """Calls of one test, with a counter and a key of its own."""

    def __init__(self, http: httpx.AsyncClient, probe: ProbeStack) -> None:
        self.http = http
        self.probe = probe
        self.counter = uuid4().hex
        self.key = f"key-{uuid4().hex}"

    async def add(
        self,
        caller: SecretKey | None = None,
        *,
        route: str = "add",
        key: str | None = None,
        **body: Any,
    ) -> httpx.Response:
        headers = {
            "x-api-key": (caller or self.probe.alice).key,
            "idempotency-key": key or self.key,
        }
        sent = body if route == "fail-command" else {"counter": self.counter, **body}
        return await self.http.post(f"/api/v1/probe/{route}", json=sent, headers=headers)

    async def total(self, caller: SecretKey | None = None) -> int:
        headers = {"x-api-key": (caller or self.probe.alice).key}
        answer = await self.http.post(
            "/api/v1/probe/total", json={"counter": self.counter}, headers=headers
        )
        return answer.json().get("total", 0)


@pytest.fixture
async def client(probe_live: ProbeStack) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(
        base_url=probe_live.base_url, timeout=60, trust_env=False, verify=False
    ) as http:
        yield Client(http, probe_live)


async def test_the_same_key_and_body_have_one_effect_and_one_answer(client: Client) -> None:
    answers = [await client.add() for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"total": 1}] * 3
    assert await client.total() == 1


async def test_another_body_under_the_key_is_a_conflict(client: Client) -> None:
    assert (await client.add()).status_code == 200
    answer = await client.add(waitMilliseconds=1)
    assert error_of(answer).reason == reasons.IDEMPOTENCY_CONFLICT.word
    assert await client.total() == 1


async def test_the_same_request_in_other_bytes_is_another_body(client: Client) -> None:
    assert (await client.add()).status_code == 200
    answer = await client.add(wait_milliseconds=0)
    assert error_of(answer).reason == reasons.IDEMPOTENCY_CONFLICT.word


async def test_another_body_is_a_conflict_after_a_failure_too(client: Client) -> None:
    failing: dict[str, Any] = {
        "code": "NOT_FOUND",
        "reason": "a.b",
        "message": "m",
        "isTerminal": True,
    }
    first = await client.add(route="fail-command", **failing)
    assert first.status_code == 404
    repeat = await client.add(route="fail-command", **failing)
    assert error_of(repeat) == error_of(first)
    other: dict[str, Any] = {**failing, "message": "other"}
    conflict = await client.add(route="fail-command", **other)
    assert error_of(conflict).reason == reasons.IDEMPOTENCY_CONFLICT.word


async def test_the_key_of_another_user_is_another_key(client: Client) -> None:
    assert (await client.add()).json() == {"total": 1}
    assert (await client.add(client.probe.bob)).json() == {"total": 2}
    assert (await client.add(client.probe.bob)).json() == {"total": 2}


async def test_the_key_of_another_tenant_is_another_key(client: Client) -> None:
    assert (await client.add()).json() == {"total": 1}
    assert (await client.add(client.probe.carol)).json() == {"total": 1}
    assert await client.total(client.probe.carol) == 1
    conflict = await client.add(client.probe.carol, waitMilliseconds=1)
    assert conflict.status_code == 409


async def test_the_key_at_another_route_is_another_key(client: Client) -> None:
    assert (await client.add()).json() == {"total": 1}
    assert (await client.add(route="add-too")).json() == {"total": 2}


async def test_a_repeat_while_the_first_runs_waits_for_the_same_answer(client: Client) -> None:
    first = asyncio.create_task(client.add(waitMilliseconds=700))
    repeats = [asyncio.create_task(client.add(waitMilliseconds=700)) for _ in range(4)]
    answers = await asyncio.gather(first, *repeats)
    assert [answer.json() for answer in answers] == [{"total": 1}] * 5
    assert await client.total() == 1


async def test_another_body_while_the_first_runs_is_a_conflict(client: Client) -> None:
    before = client.probe.forwarded()
    first = asyncio.create_task(client.add(waitMilliseconds=700))
    await until(lambda: client.probe.forwarded() > before)
    conflict = await client.add(waitMilliseconds=701)
    assert error_of(conflict).reason == reasons.IDEMPOTENCY_CONFLICT.word
    assert (await first).json() == {"total": 1}
    assert await client.total() == 1


async def test_a_repeat_after_the_deadline_attaches_to_the_work_that_went_on(
    client: Client,
) -> None:
    late = await client.add(route="hurry", waitMilliseconds=800)
    assert error_of(late).reason == reasons.DEADLINE_EXCEEDED.word
    repeat = await client.add(route="hurry", waitMilliseconds=800)
    assert repeat.json() == {"total": 1}
    assert await client.total() == 1


async def test_a_failure_that_is_not_terminal_does_not_stick_to_its_key(client: Client) -> None:
    answers = [await client.add(failUntil=3) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503, 503, 200, 200, 200]
    assert not error_of(answers[0]).is_terminal
    assert await client.total() == 3


async def test_another_body_is_a_conflict_in_every_generation_of_a_key(client: Client) -> None:
    for _ in range(3):
        await client.add(failUntil=3)
    assert (await client.add(failUntil=4)).status_code == 409
    assert await client.total() == 3


async def test_commands_without_a_key_each_have_their_effect(client: Client) -> None:
    headers = {"x-api-key": client.probe.alice.key}
    for _ in range(2):
        await client.http.post(
            "/api/v1/probe/add", json={"counter": client.counter}, headers=headers
        )
    assert await client.total() == 2


@pytest.mark.parametrize("key", ["k", "k" * 255, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
async def test_every_visible_key_up_to_255_characters_works(client: Client, key: str) -> None:
    unique = (uuid4().hex + key)[: max(32, len(key))]
    assert (await client.add(key=unique)).json() == {"total": 1}
    assert (await client.add(key=unique)).json() == {"total": 1}


# Bytes that HTTP itself forbids in a header are refused by the server before the edge sees them.
ILLEGAL = [b"", b"a b", b"k" * 256, "ä".encode(), b"a\tb"]


@pytest.mark.parametrize("key", ILLEGAL)
async def test_an_illegal_key_is_refused_and_nothing_runs(client: Client, key: bytes) -> None:
    headers = {b"x-api-key": client.probe.alice.key.encode(), b"idempotency-key": key}
    answer = await client.http.post(
        "/api/v1/probe/add", json={"counter": client.counter}, headers=headers
    )
    assert error_of(answer).reason == reasons.IDEMPOTENCY_KEY_INVALID.word
    assert await client.total() == 0


async def test_a_key_sent_twice_is_refused(client: Client) -> None:
    key = (b"idempotency-key", b"k")
    headers = [(b"x-api-key", client.probe.alice.key.encode()), key, key]
    answer = await client.http.post(
        "/api/v1/probe/add", json={"counter": client.counter}, headers=headers
    )
    assert error_of(answer).reason == reasons.HEADER_REPEATED.word
    assert await client.total() == 0
