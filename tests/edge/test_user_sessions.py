"""A signed token counts only as long as the platform's record of its user agrees."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from actors.firebase_bridge.contract import ReadResponse
from devstack.issuer import Issuer
from edge import reasons
from edge.credentials import verdicts
from errors import Reason
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.ingress import FakeIngress

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
NEWCOMER = "/api/v1/probe/newcomer"
USER = "user-1"
MEMBER: dict[str, Any] = {"tenant_id": "acme", "role": "member"}
RECORD = ReadResponse(managed=True, tenant_id="acme", role="member")


@pytest.fixture
async def edge(issuer: Issuer, ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    async with running_edge(ingress, issuer, unreachable_seconds=0.2) as edge:
        yield edge


def let_verdicts_age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Look at verdicts as if that much more time had passed."""
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)
    monkeypatch.setattr(verdicts, "time", later)


def ended_at(seconds: float) -> ReadResponse:
    """The record of a user whose sign-ins before a moment are void."""
    return ReadResponse(valid_since=datetime.fromtimestamp(seconds, UTC))


async def accepted(edge: EdgeUnderTest, token: str, path: str = ECHO) -> None:
    """The token calls."""
    assert (await edge.with_token(path, token)).status_code == 200


async def refusal(edge: EdgeUnderTest, token: str, reason: Reason, path: str = ECHO) -> None:
    """The token is refused for this reason."""
    error = error_of(await edge.with_token(path, token))
    assert (error.code, error.reason) == (reason.code, reason.word)


async def test_a_user_of_whom_nothing_is_recorded_is_who_the_token_says(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    await accepted(edge, issuer.token(**MEMBER))
    assert ingress.seen[0].headers["x-tenant-id"] == "acme"


async def test_a_token_that_agrees_with_the_record_counts(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    ingress.users[USER] = RECORD
    await accepted(edge, issuer.token(**MEMBER))


@pytest.mark.parametrize(
    "claims",
    [
        {"tenant_id": "acme", "role": "owner"},
        {"tenant_id": "globex", "role": "member"},
        {"tenant_id": "acme", "role": "admin-"},
    ],
)
async def test_a_token_that_claims_something_else_is_stale(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, claims: dict[str, str]
) -> None:
    ingress.users[USER] = RECORD
    await refusal(edge, issuer.token(**claims), reasons.TOKEN_STALE)
    assert ingress.seen == []


async def test_a_token_without_a_role_is_a_members(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    ingress.users[USER] = RECORD
    await accepted(edge, issuer.token(tenant_id="acme"))


async def test_a_user_who_left_may_hold_a_token_without_a_tenant_and_no_other(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    ingress.users[USER] = ReadResponse(managed=True)
    await refusal(edge, issuer.token(**MEMBER), reasons.TOKEN_STALE)
    await refusal(edge, issuer.token(**MEMBER), reasons.TOKEN_STALE, NEWCOMER)
    await accepted(edge, issuer.token(), NEWCOMER)


async def test_a_user_who_just_got_a_tenant_may_ask_again_with_the_token_before(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    ingress.users[USER] = RECORD
    await accepted(edge, issuer.token(), NEWCOMER)
    await refusal(edge, issuer.token(), reasons.TENANT_MISSING)


async def test_a_sign_in_before_the_sessions_were_ended_is_void_however_new_the_token(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    now = int(time.time())
    ingress.users[USER] = ended_at(now - 60)
    await refusal(edge, issuer.token(auth_time=now - 61, **MEMBER), reasons.SESSION_ENDED)
    await refusal(edge, issuer.token(auth_time=now - 61), reasons.SESSION_ENDED, NEWCOMER)
    await accepted(edge, issuer.token(auth_time=now - 60, iat=now - 60, **MEMBER))


async def test_a_token_that_tells_no_sign_in_counts_from_its_own_time(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    now = int(time.time())
    ingress.users[USER] = ended_at(now - 60)
    old = issuer.token(auth_time=None, iat=now - 61, **MEMBER)
    await refusal(edge, old, reasons.SESSION_ENDED)
    await accepted(edge, issuer.token(auth_time=None, iat=now - 60, **MEMBER))


@pytest.mark.parametrize("auth_time", ["yesterday", True, [], {}])
async def test_a_sign_in_that_is_no_time_is_refused(
    edge: EdgeUnderTest, issuer: Issuer, auth_time: object
) -> None:
    token = issuer.token(auth_time=auth_time, **MEMBER)
    await refusal(edge, token, reasons.CREDENTIALS_INVALID)


async def test_a_burst_of_one_user_costs_one_look_up(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    tokens = [issuer.token(**MEMBER, nonce=n) for n in range(5)]
    await asyncio.gather(*(accepted(edge, token) for token in tokens * 10))
    assert ingress.lookups_of_users == 1


async def test_a_forged_token_costs_no_look_up(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    forged = issuer.token(**MEMBER)[:-8] + "AAAAAAAA"
    await refusal(edge, forged, reasons.CREDENTIALS_INVALID)
    assert ingress.lookups_of_users == 0


async def test_a_change_holds_when_the_verdict_is_five_seconds_old(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(**MEMBER)
    await accepted(edge, token)
    ingress.users[USER] = ReadResponse(managed=True)
    await accepted(edge, token)
    let_verdicts_age(monkeypatch, 5)
    await refusal(edge, token, reasons.TOKEN_STALE)


async def test_a_busy_user_is_looked_up_in_the_background(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(**MEMBER)
    await accepted(edge, token)
    ingress.users[USER] = ended_at(time.time() + 10)
    let_verdicts_age(monkeypatch, 3)
    await accepted(edge, token)
    while (await edge.with_token(ECHO, token)).status_code == 200:
        assert ingress.lookups_of_users <= 2
    assert ingress.lookups_of_users == 2


async def test_while_a_user_cannot_be_looked_up_nobody_is_let_in_or_called_wrong(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(**MEMBER)
    await accepted(edge, token)
    ingress.knows_users = False
    await accepted(edge, token)
    let_verdicts_age(monkeypatch, 5)
    await refusal(edge, token, reasons.PLATFORM_UNAVAILABLE)
    await refusal(edge, issuer.token(sub="another", **MEMBER), reasons.PLATFORM_UNAVAILABLE)
    ingress.knows_users = True
    await accepted(edge, token)


async def test_two_users_whose_names_look_alike_have_records_of_their_own(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress
) -> None:
    ingress.users["a/b"] = ReadResponse(managed=True)
    await refusal(edge, issuer.token(sub="a/b", **MEMBER), reasons.TOKEN_STALE)
    await accepted(edge, issuer.token(sub="a%2Fb", **MEMBER))
    await accepted(edge, issuer.token(sub="a", **MEMBER))
