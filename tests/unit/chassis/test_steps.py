"""Steps: errors as values, retries that can be seen, ids and times that stay."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from restate import Context

from chassis.message import Int32, Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from chassis.serve import implements
from chassis.steps import ONCE, STEP, StepPolicy, id_at, new_id, now, step, ulid
from errors import Code, ErrorDetails, RetryInfo, RpcError, UpstreamError
from tests.support.fake_invocation import Invocation
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

POLICY = StepPolicy(4, timedelta(seconds=1), timedelta(seconds=3))
AGAIN = RpcError(Code.UNAVAILABLE, "vendor.away", "Away.")
NEVER = RpcError(Code.NOT_FOUND, "vendor.none", "None.")


EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class Asked(Message):
    """Nothing."""


class Told(Message):
    number: Int32 = 0
    words: list[str] = []


service = Component("StepService", Kind.SERVICE, REQUEST)
run = service.rpc("Run", Asked, Told)
make = service.rpc("Make", Asked, Told)


class Steps:
    """A step that ends as its script says, then succeeds."""

    def __init__(self, policy: StepPolicy, *script: Exception) -> None:
        self.policy = policy
        self.script = list(script)
        self.runs = 0

    @implements(run)
    async def run(self, ctx: Context, request: Asked) -> Told:
        """Run the step."""
        return await step(ctx, "vendor", self.act, Told, self.policy, 20, extra=1)

    async def act(self, number: int, *, extra: int) -> Told:
        self.runs += 1
        if self.script:
            raise self.script.pop(0)
        return Told(number=number + extra)

    @implements(make)
    async def make(self, ctx: Context, request: Asked) -> Told:
        """Make ids."""
        at = await now(ctx)
        return Told(words=[new_id(ctx, "x", at), new_id(ctx, "x", at), at.isoformat()])


async def ran(steps: Steps) -> Invocation:
    """An invocation, over."""
    async with FakePlatform() as platform:
        platform.serve(service, steps)
        invocation = platform.start(run, Asked())
        with contextlib.suppress(RpcError):
            await platform.finish(invocation)
        return invocation


def pauses(invocation: Invocation) -> list[float]:
    return [c.delay_seconds for c in invocation.journal.commands if c.kind == "sleep"]


async def test_arguments_reach_the_action_and_its_result_comes_back_typed() -> None:
    assert (await ran(Steps(STEP))).message() == Told(number=21)


async def test_a_retryable_failure_is_tried_again_under_its_own_name() -> None:
    invocation = await ran(steps := Steps(POLICY, AGAIN, AGAIN))
    assert invocation.journal.steps() == ["vendor", "vendor.2", "vendor.3"]
    sleeps = [c.target for c in invocation.journal.commands if c.kind == "sleep"]
    assert sleeps == ["vendor.backoff.1", "vendor.backoff.2"]
    assert steps.runs == 3
    assert invocation.message() == Told(number=21)


async def test_a_terminal_failure_is_raised_at_once_and_unchanged() -> None:
    invocation = await ran(Steps(POLICY, NEVER))
    assert invocation.journal.steps() == ["vendor"]
    assert pauses(invocation) == []
    assert invocation.error() == NEVER


async def test_the_last_failure_says_how_often_it_was_tried() -> None:
    details = ErrorDetails(upstream_error=UpstreamError(service="v", status_code=503))
    last = RpcError(Code.UPSTREAM_ERROR, "vendor.failed", "Failed.", details)
    invocation = await ran(Steps(POLICY, AGAIN, AGAIN, AGAIN, last))
    assert len(invocation.journal.steps()) == 4
    error = invocation.error()
    assert (error.code, error.reason, error.is_terminal) == (last.code, last.reason, False)
    assert error.details.upstream_error == details.upstream_error
    assert error.details.retry_info == RetryInfo(attempts=4)


async def test_once_is_once() -> None:
    invocation = await ran(steps := Steps(ONCE, AGAIN))
    assert steps.runs == 1
    assert invocation.error() == AGAIN


async def test_pauses_double_up_to_their_bound_with_jitter() -> None:
    bounds = [(0.5, 1.5), (1.0, 3.0), (1.5, 4.5)]
    seen: set[float] = set()
    for _ in range(5):
        async with FakePlatform() as platform:
            for _ in range(len(seen)):
                platform.serve(service, Steps(STEP))
                await platform.call(run, Asked())
            platform.serve(service, Steps(POLICY, AGAIN, AGAIN, AGAIN))
            invocation = platform.start(run, Asked())
            await platform.finish(invocation)
        for (least, most), pause in zip(bounds, pauses(invocation), strict=True):
            assert least <= pause <= most
        seen.add(pauses(invocation)[0])
    assert len(seen) == 5, "another invocation, another jitter"


async def test_a_vendor_that_asks_for_more_time_gets_it() -> None:
    details = ErrorDetails(retry_info=RetryInfo(retry_after=timedelta(seconds=42)))
    patient = RpcError(Code.RATE_LIMITED, "vendor.limited", "Wait.", details)
    soon = RpcError(
        Code.RATE_LIMITED,
        "vendor.limited",
        "Wait.",
        ErrorDetails(retry_info=RetryInfo(retry_after=timedelta(0))),
    )
    assert pauses(await ran(Steps(POLICY, patient))) == [42]
    [pause] = pauses(await ran(Steps(POLICY, soon)))
    assert 0.5 <= pause <= 1.5


async def test_any_other_exception_is_a_crash_that_runs_the_same_step_again() -> None:
    """Under the same name, so that a vendor's idempotency key made from it stays."""
    invocation = await ran(steps := Steps(POLICY, ValueError("a bug")))
    assert invocation.journal.steps() == ["vendor"]
    assert steps.runs == 2
    assert invocation.message() == Told(number=21)


async def test_a_result_is_read_from_the_journal_as_it_was_written() -> None:
    """With every handler suspended at every wait, all results come from the journal."""
    steps = Steps(POLICY, AGAIN)
    async with FakePlatform(suspends=True) as platform:
        platform.serve(service, steps)
        assert await platform.call(run, Asked()) == Told(number=21)
    assert steps.runs == 2


async def test_times_and_ids_are_the_same_on_every_replay() -> None:
    async with FakePlatform(suspends=True) as platform:
        platform.serve(service, Steps(STEP))
        first = await platform.call(make, Asked())
        second = await platform.call(make, Asked())
        assert first.words[2] == platform.time.isoformat()
    made = first.words[:2] + second.words[:2]
    assert len(set(made)) == 4
    assert all(id.startswith("x_") for id in made)


times = st.integers(0, 2**37).map(lambda milliseconds: EPOCH + timedelta(milliseconds=milliseconds))
bits = st.integers(0, 2**80 - 1)


@given(one=times, other=times, left=bits, right=bits)
def test_ids_sort_by_their_time(one: datetime, other: datetime, left: int, right: int) -> None:
    if one != other:
        earlier, later = sorted((one, other))
        assert id_at("run", earlier, left) < id_at("run", later, right)


@given(milliseconds=st.integers(0, 2**48 - 1), randomness=bits)
def test_an_id_is_26_letters_that_need_no_escape_and_says_what_it_was_made_of(
    milliseconds: int, randomness: int
) -> None:
    made = ulid(milliseconds, randomness)
    assert len(made) == 26
    assert set(made) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    number = 0
    for letter in made:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    assert (number >> 80, number & (2**80 - 1)) == (milliseconds, randomness)
