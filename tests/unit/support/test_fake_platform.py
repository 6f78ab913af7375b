"""The fake is true to what `scenarios` demands of the real server too, and strict beyond it."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from restate import Context

from chassis.calls import call
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind, Rpc
from chassis.serve import implements
from chassis.steps import step
from tests.support import scenario_parts as parts
from tests.support.crashes import survives_every_crash
from tests.support.fake_effects import SurpriseError
from tests.support.fake_invocation import Invocation
from tests.support.fake_platform import FakePlatform
from tests.support.scenario_parts import Asked, Told
from tests.support.scenarios import Scenario, every_scenario

pytestmark = pytest.mark.anyio

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class FakeStage:
    """The scenarios' view of a fake platform."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self._numbers = itertools.count()
        parts.forget()
        serve_parts(platform)

    def new_key(self) -> str:
        return f"key {next(self._numbers)}/ü"

    async def call(self, rpc: Rpc[Q, R], request: Q, *, key: str = "") -> R:
        return await self.platform.call(rpc, request, key=key)

    async def submit(self, rpc: Rpc[Q, R], request: Q, *, key: str) -> None:
        self.platform.start(rpc, request, key=key)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(20):
            await self.platform.settle()
            if await condition():
                return
            await self.platform.advance(0.1)
        raise AssertionError("a condition never held")

    async def cancel(self, rpc: Rpc[Q, R], key: str) -> None:
        self.platform.cancel(self._invocation(rpc, key))

    async def steps(self, rpc: Rpc[Q, R], key: str) -> list[str]:
        return self._invocation(rpc, key).journal.steps()

    async def status(self, rpc: Rpc[Q, R], key: str) -> str:
        invocation = self._invocation(rpc, key)
        if invocation.paused or invocation.over:
            return "paused" if invocation.paused else "completed"
        return "suspended" if invocation.suspended else "running"

    def _invocation(self, rpc: Rpc[Q, R], key: str) -> Invocation:
        return next(i for i in self.platform.invocations if i.rpc is rpc and i.key == key)


def serve_parts(platform: FakePlatform) -> None:
    """Serve everything that scenarios need."""
    for each in parts.registered():
        platform.serve_handlers(each.component, each.handlers)


@every_scenario
@pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])
async def test_the_fake_passes_what_the_server_passes(scenario: Scenario, suspends: bool) -> None:
    async with FakePlatform(suspends=suspends) as platform:
        await scenario(FakeStage(platform))


mood = Component("Mood", Kind.GATEWAY, REQUEST)
asks_for_others = mood.rpc("AsksForOthers", Asked, Told)
asks_for_more = mood.rpc("AsksForMore", Asked, Told)
asks_for_less = mood.rpc("AsksForLess", Asked, Told)
answers_otherwise = mood.rpc("AnswersOtherwise", Asked, Told)
calls_a_stranger = mood.rpc("CallsAStranger", Asked, Told)
waits_for_ever = mood.rpc("WaitsForEver", Asked, Told)
stranger = Component("Stranger", Kind.SERVICE, REQUEST).rpc("Call", Asked, Told)


class Mood:
    """Handlers that a platform must not let pass; the first four differ from run to run."""

    def __init__(self) -> None:
        self.runs = 0

    @implements(asks_for_others)
    async def asks_for_others(self, ctx: Context, request: Asked) -> Told:
        """A step whose name changes."""
        self.runs += 1
        return Told(number=await step(ctx, f"step {self.runs}", one, int))

    @implements(asks_for_more)
    async def asks_for_more(self, ctx: Context, request: Asked) -> Told:
        """One step more each time."""
        self.runs += 1
        for number in range(self.runs):
            await step(ctx, f"step {number}", one, int)
        return Told()

    @implements(asks_for_less)
    async def asks_for_less(self, ctx: Context, request: Asked) -> Told:
        """One step less each time."""
        self.runs += 1
        for number in range(3 - self.runs):
            await step(ctx, f"step {number}", one, int)
        return Told()

    @implements(answers_otherwise)
    async def answers_otherwise(self, ctx: Context, request: Asked) -> Told:
        """Another answer each time."""
        self.runs += 1
        return Told(number=self.runs)

    @implements(calls_a_stranger)
    async def calls_a_stranger(self, ctx: Context, request: Asked) -> Told:
        """A call that nobody answers."""
        return await call(ctx, stranger, request)

    @implements(waits_for_ever)
    async def waits_for_ever(self, ctx: Context, request: Asked) -> Told:
        """Nobody will ever resolve it."""
        _, future = ctx.awakeable(type_hint=str)
        return Told(words=[await future])


async def one() -> int:
    return 1


@pytest.mark.parametrize("rpc", mood.rpcs, ids=lambda rpc: rpc.name)
async def test_what_no_handler_may_do_fails_the_test(rpc: Rpc[Asked, Told]) -> None:
    async def play() -> None:
        async with FakePlatform() as platform:
            platform.serve(mood, Mood())
            await platform.call(rpc, Asked())

    with pytest.raises(SurpriseError):
        await play()


async def test_steps_run_again_only_where_their_result_was_lost() -> None:
    """One of the three moments of a step costs a second run: its result, before it is durable."""
    runs: list[int] = []
    for moment in range(1, 5):
        parts.forget()
        async with FakePlatform(dies_at=moment) as platform:
            serve_parts(platform)
            await platform.call(parts.run_steps, Asked(key="k"))
            runs.append((await platform.call(parts.count_steps, Asked(key="k"))).number)
    assert runs == [1, 2, 1, 1]


async def test_crashes_change_nothing_that_others_see() -> None:
    async def story(platform: FakePlatform) -> list[str]:
        serve_parts(platform)
        written = await platform.call(parts.actor_write, Asked(), key="a")
        await platform.call(parts.eager_tell, Asked(key="a", times=3), key="a")
        await platform.advance(1)
        heard = await platform.call(parts.actor_heard, Asked(), key="a")
        return written.words + heard.words

    assert await survives_every_crash(story) > 40


async def test_time_passes_only_when_it_is_told_to() -> None:
    async with FakePlatform() as platform:
        serve_parts(platform)
        before = platform.now
        waiting = platform.start(parts.pass_time, Asked(times=90_000))
        await platform.advance(89)
        assert not waiting.over
        await platform.advance(1)
        assert waiting.over
        assert platform.now == before + timedelta(seconds=90).total_seconds()
