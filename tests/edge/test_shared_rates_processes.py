"""Two edges that are processes of their own and count in one real Valkey or Redis server."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import anyio.to_thread
import httpx
import pytest

from devstack.keys import SecretKey
from edge import reasons
from tests.support.second_edge import second_edge
from tests.support.stack import API, RunningStack, running_stack
from tests.support.valkey import RunningValkey, running_valkey

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THREADS = f"{API}llm/gateway/list-threads"
LIMIT = 40


@dataclass
class TwoEdges:
    """The edges, and the server in which they count."""

    stack: RunningStack
    urls: tuple[str, str]
    valkey: RunningValkey

    async def call(self, http: httpx.AsyncClient, edge: int, key: SecretKey) -> httpx.Response:
        """A call at one of the edges."""
        url = self.urls[edge % 2] + THREADS
        return await http.post(url, json={}, headers={"x-api-key": key.key})


@pytest.fixture
def edges() -> Iterator[TwoEdges]:
    with running_valkey() as valkey:
        settings = {
            "EDGE_RATES_URL": valkey.url,
            "EDGE_REQUESTS_PER_MINUTE": str(LIMIT),
            # Longer than a loaded machine may take.
            "EDGE_RATES_TIMEOUT_SECONDS": "5",
        }
        with running_stack(environment=settings) as stack, second_edge(stack) as other:
            yield TwoEdges(stack, (stack.base_url, other), valkey)


async def test_two_processes_count_one_limit_exactly_and_go_on_without_the_server(
    edges: TwoEdges,
) -> None:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        await exactly_the_limit(http, edges, edges.stack.bob)
        carol = edges.stack.carol
        for number in range(10):
            answer = await edges.call(http, number, carol)
            assert answer.headers["ratelimit-limit"] == str(LIMIT)
            assert answer.headers["ratelimit-remaining"] == str(LIMIT - 1 - number)
        await anyio.to_thread.run_sync(edges.valkey.process.kill)
        # By its own count now: each has seen five of the ten before.
        for edge in (0, 1):
            answers = [await edges.call(http, edge, carol) for _ in range(LIMIT - 5 + 2)]
            statuses = [answer.status_code for answer in answers]
            assert statuses == [200] * (LIMIT - 5) + [429] * 2
            for answer in answers[-2:]:
                assert 0 < int(answer.headers["retry-after"]) <= 60
        await anyio.to_thread.run_sync(edges.valkey.start)
        await counted_together(edges)
        # It came back empty, and counts for all again.
        await exactly_the_limit(http, edges, edges.stack.dave)


async def exactly_the_limit(http: httpx.AsyncClient, edges: TwoEdges, key: SecretKey) -> None:
    """As many calls at both edges together are let in as one alone may let in."""
    calls = [edges.call(http, number, key) for number in range(3 * LIMIT)]
    answers = await asyncio.gather(*calls)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: LIMIT, 429: 2 * LIMIT}
    left = [int(a.headers["ratelimit-remaining"]) for a in answers if a.status_code == 200]
    assert sorted(left) == list(range(LIMIT))
    for answer in answers:
        assert answer.headers["ratelimit-limit"] == str(LIMIT)
        assert 0 < int(answer.headers["ratelimit-reset"]) <= 60
        if answer.status_code == 429:
            assert answer.headers["ratelimit-remaining"] == "0"
            assert answer.json()["error"]["details"]["reason"] == reasons.RATE_LIMITED.word
            assert 0 < int(answer.headers["retry-after"]) <= 60


async def counted_together(edges: TwoEdges) -> None:
    """Until both edges have said that they count together again."""
    logs = [path.name[:-4] for path in (edges.stack.processes.options.data_path / "logs").iterdir()]
    names = [name for name in logs if name.startswith("edge")]
    assert len(names) == 2
    deadline = time.monotonic() + 30
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        while not all("counted together again" in edges.stack.log(name) for name in names):
            assert time.monotonic() < deadline
            for edge in (0, 1):
                # A wrong credential is counted, too, by its address.
                url = edges.urls[edge] + THREADS
                assert (await http.post(url, json={}, headers={"x-api-key": "sk_x"})).is_error
            await asyncio.sleep(0.05)
