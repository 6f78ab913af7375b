"""A tenant with a thousand keys, and two edges that hear of every revocation in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from edge import reasons
from tests.support.second_edge import second_edge
from tests.support.stack import API, RunningStack, running_stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(600)]

KEYS, PAGE, REVOKED, WATCHED = 1000, 50, 200, 20
THREADS = f"{API}llm/gateway/list-threads"
REVOCATION_SECONDS = 10


@dataclass(frozen=True)
class Made:
    """A key that was created, and its text."""

    key_id: str
    key: str


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A platform whose counters nobody else moves. Usage is counted when it ends."""
    with running_stack(environment={"EDGE_USAGE_SECONDS": "3600"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def keys() -> list[Made]:
    """Filled by the first test that needs them, in the order of their making."""
    return []


@pytest.fixture
async def client(stack: RunningStack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=stack.base_url, timeout=60, trust_env=False, limits=httpx.Limits()
    ) as client:
        yield client


async def as_admin(
    stack: RunningStack, client: httpx.AsyncClient, method: str, body: Any
) -> dict[str, Any]:
    token = await admin_token(stack)
    answer = await client.post(
        f"{API}api-keys/{method}", json=body, headers={"authorization": f"Bearer {token}"}
    )
    assert answer.is_success, answer.text
    return answer.json()


_tokens: dict[int, str] = {}


async def admin_token(stack: RunningStack) -> str:
    if id(stack) not in _tokens:
        _tokens[id(stack)] = await stack.token(sub="admin", tenant_id="large", role="admin")
    return _tokens[id(stack)]


async def made(stack: RunningStack, client: httpx.AsyncClient, keys: list[Made]) -> list[Made]:
    """All keys of the tenant."""
    if not keys:
        await admin_token(stack)
        numbers = iter(range(KEYS))

        async def create() -> None:
            for number in numbers:
                body = {"name": f"key {number}", "permissions": ["conversations:read"]}
                result = (await as_admin(stack, client, "create", body))["result"]
                keys.append(Made(result["key_id"], result["key"]))

        await asyncio.gather(*(create() for _ in range(16)))
    return keys


def forwarded(stack: RunningStack) -> float:
    """How many calls the edge has made to Restate."""
    text = httpx.get(f"{stack.processes.private_url}/metrics", trust_env=False).text
    name = "edge_ingress_requests_total "
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[1])


async def test_all_are_listed_once_and_newest_first(
    stack: RunningStack, client: httpx.AsyncClient, keys: list[Made]
) -> None:
    every = {each.key_id for each in await made(stack, client, keys)}
    listed: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next_page_token": ""}
    pages = 0
    while "next_page_token" in page:
        asked = {"page_size": PAGE, "page_token": page["next_page_token"]}
        page = await as_admin(stack, client, "list", asked)
        listed += page["api_keys"]
        pages += 1
    assert pages == KEYS // PAGE
    assert len(listed) == KEYS
    assert {each["key_id"] for each in listed} == every
    made_at = [each["created_at"] for each in listed]
    assert made_at == sorted(made_at, reverse=True)


async def test_a_key_among_a_thousand_costs_one_look_up_and_then_none(
    stack: RunningStack, client: httpx.AsyncClient, keys: list[Made]
) -> None:
    every = await made(stack, client, keys)
    for each in (every[0], every[KEYS // 2], every[-1]):
        before = forwarded(stack)
        assert (await client.post(THREADS, json={}, headers={"x-api-key": each.key})).is_success
        assert forwarded(stack) - before == 2
        before = forwarded(stack)
        assert (await client.post(THREADS, json={}, headers={"x-api-key": each.key})).is_success
        assert forwarded(stack) - before == 1


async def test_guessing_does_not_find_out_which_keys_there_are(
    stack: RunningStack, client: httpx.AsyncClient, keys: list[Made]
) -> None:
    every = await made(stack, client, keys)
    before = forwarded(stack)
    guesses = [
        each.key[:-1] + last for each in every[:10] for last in "0123456789" if each.key[-1] != last
    ]
    seen = {
        (answer.status_code, answer.json()["error"]["details"]["reason"])
        for answer in [
            await client.post(THREADS, json={}, headers={"x-api-key": guess}) for guess in guesses
        ]
    }
    assert seen == {(401, reasons.CREDENTIALS_INVALID.word)}
    assert forwarded(stack) == before


async def test_two_edges_refuse_revoked_keys_in_time_while_many_are_revoked(
    stack: RunningStack, client: httpx.AsyncClient, keys: list[Made]
) -> None:
    every = await made(stack, client, keys)
    revoked, kept = every[:REVOKED], every[REVOKED]
    watched = revoked[:: REVOKED // WATCHED]
    revoked_at: dict[str, float] = {}
    numbers = iter(revoked)

    async def revoke() -> None:
        for each in numbers:
            await as_admin(stack, client, "revoke", {"key_id": each.key_id})
            revoked_at[each.key_id] = time.monotonic()

    async def refused_after(url: str, each: Made) -> float:
        while True:
            asked = time.monotonic()
            answer = await client.post(f"{url}{THREADS}", json={}, headers={"x-api-key": each.key})
            if answer.status_code == 401:
                assert answer.json()["error"]["details"]["reason"] == reasons.KEY_REVOKED.word
                return asked - revoked_at.get(each.key_id, asked)
            assert answer.is_success, answer.text
            if each.key_id in revoked_at:
                assert asked - revoked_at[each.key_id] < REVOCATION_SECONDS
            await asyncio.sleep(0.1)

    with second_edge(stack) as other:
        urls = (stack.base_url, other)
        for url in urls:
            for each in watched:  # both have believed in all of them
                headers = {"x-api-key": each.key}
                assert (await client.post(f"{url}{THREADS}", json={}, headers=headers)).is_success
        watching = [
            asyncio.create_task(refused_after(url, each)) for url in urls for each in watched
        ]
        await asyncio.gather(*(revoke() for _ in range(8)))
        seconds = await asyncio.gather(*watching)
        assert len(seconds) == 2 * WATCHED
        assert max(seconds) < REVOCATION_SECONDS
        for url in urls:
            headers = {"x-api-key": kept.key}
            assert (await client.post(f"{url}{THREADS}", json={}, headers=headers)).is_success
