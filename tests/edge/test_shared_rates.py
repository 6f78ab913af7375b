"""Several edges and a real Valkey or Redis server: one limit, exactly; without it, their own."""

import asyncio
import secrets
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.keys import SecretKey
from edge import reasons
from edge.metrics import REGISTRY
from edge.settings import SecretKeySetting
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.ingress import FakeIngress
from tests.support.valkey import RunningValkey, running_valkey

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


@asynccontextmanager
async def two_edges(
    ingress: FakeIngress, valkey: RunningValkey, **settings: Any
) -> AsyncGenerator[tuple[EdgeUnderTest, EdgeUnderTest]]:
    """Two edges that share the server and know the same key, which no other test has used."""
    key = SecretKey(tenant_id="acme", user_id="alice", key_id=f"key_{uuid.uuid4().hex}")
    shared: dict[str, Any] = {
        "secret_keys": (SecretKeySetting(**key.setting()),),
        "rates_url": SecretStr(valkey.url),
        # Longer than a loaded machine may take.
        "rates_timeout_seconds": 10,
        **settings,
    }
    async with running_edge(ingress, **shared) as one, running_edge(ingress, **shared) as two:
        one.alice = two.alice = key
        yield one, two


async def test_one_limit_holds_exactly_over_two_edges(
    ingress: FakeIngress, valkey: RunningValkey
) -> None:
    async with two_edges(ingress, valkey, requests_per_minute=50) as both:
        answers = await asyncio.gather(*(both[n % 2].post(ECHO) for n in range(120)))
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 50, 429: 70}
        let_in = [a.headers["ratelimit-remaining"] for a in answers if a.status_code == 200]
        assert sorted(map(int, let_in)) == list(range(50))
        assert len(ingress.seen) == 50
        refused = [answer for answer in answers if answer.status_code == 429]
        for answer in refused:
            assert error_of(answer).reason == reasons.RATE_LIMITED.word
            assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_guesses_at_two_edges_are_counted_together(
    ingress: FakeIngress, valkey: RunningValkey
) -> None:
    address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    guess = {"x-api-key": "sk_guess", "x-forwarded-for": address}
    settings = {"refused_credentials_per_minute": 10, "trusted_proxies": ("127.0.0.0/8",)}
    async with two_edges(ingress, valkey, **settings) as both:
        answers = [await both[n % 2].anonymous(ECHO, headers=guess) for n in range(14)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 4


async def test_the_server_learns_neither_keys_nor_users_nor_addresses(
    ingress: FakeIngress, valkey: RunningValkey
) -> None:
    async with two_edges(ingress, valkey) as (edge, _):
        await edge.post(ECHO, headers={"x-on-behalf-of": "mallory"})
        await edge.anonymous(ECHO, headers={"x-api-key": "sk_guess"})
        redis: Any = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType]
        names = b" ".join([name async for name in redis.scan_iter()])
        await redis.aclose()
        assert names.count(b"yocaso:rates:") >= 2
        for secret in (edge.alice.key, edge.alice.key_id, "mallory", "alice", "127.0.0.1"):
            assert secret.encode() not in names


async def test_without_the_server_each_edge_goes_by_its_own_count_and_says_so(
    ingress: FakeIngress, caplog: pytest.LogCaptureFixture
) -> None:
    with running_valkey() as mortal:
        settings = {"requests_per_minute": 6, "private_port": 0, "rates_timeout_seconds": 1}
        async with two_edges(ingress, mortal, **settings) as both:
            for n in range(4):
                assert (await both[n % 2].post(ECHO)).status_code == 200
            await anyio.to_thread.run_sync(mortal.process.kill)
            # What each has counted before stays counted.
            answers = [await both[0].post(ECHO) for _ in range(6)]
            assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
            assert (await both[1].post(ECHO)).status_code == 200
            assert "rates are counted by each edge for itself" in caplog.text
            async with httpx.AsyncClient(trust_env=False) as http:
                private = f"http://{both[0].edge.private_address}"
                status = (await http.get(f"{private}/statusz")).json()
                assert status["dependencies"]["rates"] == "down"
                metrics = (await http.get(f"{private}/metrics")).text
                assert 'edge_rates_counted_total{where="here"}' in metrics
            await anyio.to_thread.run_sync(mortal.start)
            await until_counted_together(both[1])


async def until_counted_together(edge: EdgeUnderTest) -> None:
    """Until the server, which came back empty, counts again."""
    before = together()
    deadline = time.monotonic() + 30
    while together() == before:
        assert time.monotonic() < deadline
        assert (await edge.post(ECHO)).status_code in (200, 429)
        await asyncio.sleep(0.05)


def together() -> float:
    return REGISTRY.get_sample_value("edge_rates_counted_total", {"where": "together"}) or 0.0
