"""The issuer's keys may be down, slow, huge, elsewhere or new; the edge stays safe and bounded."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.issuer import Fault, Issuer, serving
from edge import reasons
from edge.credentials import jwks
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.ingress import FakeIngress
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
TENANT: dict[str, Any] = {"tenant_id": "acme", "role": "member"}


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving(Issuer()) as issuer:
        yield issuer


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.HUGE, Fault.REDIRECT, Fault.GARBAGE])
async def test_keys_that_cannot_be_had_make_tokens_unavailable_not_invalid(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, fault: Fault
) -> None:
    issuer.fault = fault
    answer = await edge.with_token(ECHO, issuer.token(**TENANT))
    error = error_of(answer)
    assert error.reason == reasons.ISSUER_UNAVAILABLE.word
    assert not error.is_terminal
    assert ingress.seen == []


async def test_an_issuer_that_never_answers_is_given_up(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    issuer.fault = Fault.STALL
    started = time.monotonic()
    answer = await edge.with_token(ECHO, issuer.token(**TENANT))
    assert error_of(answer).reason == reasons.ISSUER_UNAVAILABLE.word
    assert time.monotonic() - started < 5


async def test_keys_that_come_byte_by_byte_are_given_up_as_well(ingress: FakeIngress) -> None:
    hung_up = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Never silent for as long as one read may take, and far from done when all must be.
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            for _ in range(600):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        hung_up.set()

    server = await asyncio.start_server(drip, "127.0.0.1")
    port: int = server.sockets[0].getsockname()[1]
    slow = Issuer(f"http://127.0.0.1:{port}")
    async with server, running_edge(ingress, slow) as edge:
        started = time.monotonic()
        answer = await edge.with_token(ECHO, slow.token(**TENANT))
        assert error_of(answer).reason == reasons.ISSUER_UNAVAILABLE.word
        await hung_up.wait()
        assert time.monotonic() - started < 10
        assert ingress.seen == []


async def test_many_callers_of_a_silent_issuer_wait_for_one_look_up(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    issuer.fault = Fault.STALL
    tokens = [issuer.token(sub=f"user-{n}", **TENANT) for n in range(20)]
    answers = await asyncio.gather(*(edge.with_token(ECHO, token) for token in tokens))
    assert {answer.status_code for answer in answers} == {503}
    assert issuer.lookups == 1


async def test_an_issuer_that_is_back_is_found_again(edge: EdgeUnderTest, issuer: Issuer) -> None:
    issuer.fault = Fault.DOWN
    token = issuer.token(**TENANT)
    assert (await edge.with_token(ECHO, token)).status_code == 503
    issuer.fault = Fault.NONE
    deadline = time.monotonic() + 10
    while (await edge.with_token(ECHO, token)).status_code != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_known_keys_go_on_serving_while_the_issuer_is_down(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    assert (await edge.with_token(ECHO, issuer.token(**TENANT))).status_code == 200
    issuer.fault = Fault.DOWN
    assert (await edge.with_token(ECHO, issuer.token(sub="another", **TENANT))).status_code == 200


async def test_a_new_key_is_found_and_the_old_one_still_holds(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    old = issuer.token(**TENANT)
    assert (await edge.with_token(ECHO, old)).status_code == 200
    issuer.rotate()
    assert (await edge.with_token(ECHO, issuer.token(**TENANT))).status_code == 200
    assert (await edge.with_token(ECHO, issuer.token(sub="b", **TENANT))).status_code == 200
    assert issuer.lookups == 2


async def test_a_key_that_the_issuer_withdrew_signs_nothing_any_more(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    withdrawn = issuer.token(sub="withdrawn", **TENANT)
    assert (await edge.with_token(ECHO, issuer.token(**TENANT))).status_code == 200
    issuer.rotate(keep_old=False)
    assert (await edge.with_token(ECHO, issuer.token(**TENANT))).status_code == 200
    assert (await edge.with_token(ECHO, withdrawn)).status_code == 401


async def test_a_flood_of_unknown_key_ids_costs_few_look_ups(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    assert (await edge.with_token(ECHO, issuer.token(**TENANT))).status_code == 200
    floods = [issuer.token({"kid": f"made-up-{n}"}, **TENANT) for n in range(200)]
    answers = [await edge.with_token(ECHO, token) for token in floods]
    assert {answer.status_code for answer in answers} == {401}
    assert issuer.lookups <= 1 + 3
    assert len(ingress.seen) == 1


async def test_a_busy_token_is_checked_once(edge: EdgeUnderTest, issuer: Issuer) -> None:
    token = issuer.token(**TENANT)
    for _ in range(50):
        assert (await edge.with_token(ECHO, token)).status_code == 200
    assert issuer.lookups == 1


def let_time_pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Look at the keys as if that much time had passed since the test began."""
    # A clock of their own: the deadlines of everything else stay where they are.
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)
    monkeypatch.setattr(jwks, "time", clock)


@pytest.mark.parametrize(
    ("told", "fresh_seconds"),
    [
        ("", 300),
        ("public, max-age=600", 600),
        ("max-age=5", 60),
        ("no-store", 60),
        ("max-age=999999999", 3600),
    ],
)
async def test_keys_are_fresh_for_as_long_as_the_issuer_says_within_bounds(
    edge: EdgeUnderTest,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    fresh_seconds: float,
) -> None:
    issuer.cache_control = told
    token = issuer.token(**TENANT, exp=time.time() + 9000)
    assert (await edge.with_token(ECHO, token)).status_code == 200
    let_time_pass(monkeypatch, fresh_seconds - 10)
    other = issuer.token(**TENANT, sub="b")
    assert (await edge.with_token(ECHO, other)).status_code == 200
    assert issuer.lookups == 1
    let_time_pass(monkeypatch, fresh_seconds + 10)
    assert (await edge.with_token(ECHO, issuer.token(**TENANT, sub="c"))).status_code == 200
    await until(lambda: issuer.lookups == 2)


async def test_a_withdrawn_key_ends_although_the_issuer_promised_to_keep_it(
    edge: EdgeUnderTest, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.cache_control = "max-age=999999999"
    withdrawn = issuer.token(**TENANT)
    assert (await edge.with_token(ECHO, withdrawn)).status_code == 200
    withdrawn = issuer.token(**TENANT, sub="later")
    issuer.rotate(keep_old=False)
    let_time_pass(monkeypatch, 2 * 3600 + 1)
    assert (await edge.with_token(ECHO, withdrawn)).status_code == 401
