"""What we rely on in Restate, as scenarios that the fake and the real server must both pass.

Each scenario is a function of a `Stage`. Keys are made new for every scenario, so that they can
share a server.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import pytest

from chassis.message import Message
from chassis.rpc import Rpc
from errors import Code, RpcError, wire
from tests.support import scenario_parts as parts
from tests.support.scenario_parts import Asked, Words

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class Stage(Protocol):
    """A platform on which the parts run."""

    def new_key(self) -> str:
        """A key that nobody has used."""
        ...

    async def call(self, rpc: Rpc[Q, R], request: Q, *, key: str = "") -> R:
        """Call and wait; raises what a caller gets."""
        ...

    async def submit(self, rpc: Rpc[Q, R], request: Q, *, key: str) -> None:
        """Send one-way."""
        ...

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Let things happen until a condition holds; fails when it does not in time."""
        ...

    async def cancel(self, rpc: Rpc[Q, R], key: str) -> None:
        """Cancel what runs under a key, as an operator does."""
        ...

    async def steps(self, rpc: Rpc[Q, R], key: str) -> list[str]:
        """The names of the steps in the journal of what ran under a key."""
        ...

    async def status(self, rpc: Rpc[Q, R], key: str) -> str:
        """`completed`, `paused`, `suspended` or `running`."""
        ...


Scenario = Callable[[Stage], Awaitable[None]]


async def a_handler_reads_its_own_writes(stage: Stage) -> None:
    """In a lazy and in a preloaded object, before and after they are durable."""
    for write in (parts.actor_write, parts.eager_write):
        key = stage.new_key()
        first = await stage.call(write, Asked(), key=key)
        second = await stage.call(write, Asked(), key=key)
        seen = ["mine:mine", "cleared:nothing", "2,nothing,1", "family:1,family:2,words"]
        assert first.words == ["before:nothing", *seen]
        assert second.words == ["before:kept", *seen]


async def two_keys_of_an_actor_share_nothing(stage: Stage) -> None:
    key = stage.new_key()
    await stage.call(parts.actor_write, Asked(), key=key)
    other = await stage.call(parts.actor_heard, Asked(), key=f"{key}/other")
    assert other.words == []


async def a_step_that_succeeds_runs_once(stage: Stage) -> None:
    key = stage.new_key()
    assert (await stage.call(parts.run_steps, Asked(key=key))).number == 1
    assert (await stage.call(parts.count_steps, Asked(key=key))).number == 1


async def a_failed_step_is_tried_again(stage: Stage) -> None:
    key = stage.new_key()
    assert (await stage.call(parts.run_steps, Asked(key=key, times=2))).number == 3
    assert (await stage.call(parts.count_steps, Asked(key=key))).number == 3


async def each_try_of_a_step_has_a_name_of_its_own(stage: Stage) -> None:
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(kind="steps", times=2), key=key)
    await _completed(stage, key)
    assert await stage.steps(parts.flow_run, key) == ["fragile", "fragile.2", "fragile.3"]


async def a_step_that_keeps_failing_gives_its_true_code(stage: Stage) -> None:
    key = stage.new_key()
    error = await _error(stage.call(parts.run_steps, Asked(key=key, times=9)))
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "scenario.not_yet")
    assert not error.is_terminal
    assert error.details.retry_info is not None
    assert error.details.retry_info.attempts == 3
    assert (await stage.call(parts.count_steps, Asked(key=key))).number == 3


async def a_terminal_failure_of_a_step_is_not_tried_again(stage: Stage) -> None:
    error = await _error(stage.call(parts.give_up, Asked()))
    assert error == parts.REFUSED.error("Not you.", parts.DETAILS)


async def sends_arrive_in_order_and_delayed_ones_later(stage: Stage) -> None:
    """One after the other although each waits, because the receiver is exclusive."""
    key = stage.new_key()
    await stage.call(parts.eager_tell, Asked(key=key, times=5), key=key)

    async def heard_all() -> bool:
        return len((await stage.call(parts.actor_heard, Asked(), key=key)).words) == 6

    await stage.until(heard_all)
    heard = await stage.call(parts.actor_heard, Asked(), key=key)
    assert heard.words == ["0", "1", "2", "3", "4", "late"]


async def a_sleep_lasts_as_long_as_it_should(stage: Stage) -> None:
    told = await stage.call(parts.pass_time, Asked(times=150))
    assert 0.149 <= told.seconds < 10


async def what_is_ready_wins_a_race_and_the_rest_can_be_waited_for(stage: Stage) -> None:
    told = await stage.call(parts.race, Asked(times=400))
    assert told.words == ["step", "step", "quick"]


async def ids_are_the_same_after_a_wait(stage: Stage) -> None:
    told = await stage.call(parts.make_id, Asked(times=20))
    assert len(set(told.words)) == 3
    assert [word[:13] for word in told.words] == [told.words[0][:13]] * 3


async def an_error_comes_out_as_it_went_in(stage: Stage) -> None:
    """From a service through an actor and a gateway."""
    error = await _error(stage.call(parts.refuse, Asked(key=stage.new_key())))
    assert error == parts.REFUSED.error("Not you.", parts.DETAILS)


async def an_unknown_exception_becomes_internal(stage: Stage) -> None:
    """At once in gateways and services; in an actor when its retries are spent."""
    for kind in ("gateway", "service", "actor"):
        asked = Asked(kind=kind, key=stage.new_key())
        assert await _error(stage.call(parts.break_down, asked)) == wire.internal(), kind


async def a_killed_actor_frees_its_key(stage: Stage) -> None:
    key = stage.new_key()
    await _error(stage.call(parts.break_down, Asked(kind="actor", key=key)))
    assert (await stage.call(parts.actor_write, Asked(), key=key)).words[0] == "before:nothing"


async def a_workflow_that_crashes_is_paused(stage: Stage) -> None:
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(kind="break"), key=key)

    async def paused() -> bool:
        return await stage.status(parts.flow_run, key) == "paused"

    await stage.until(paused)


async def a_promise_is_kept_once_and_for_all(stage: Stage) -> None:
    """Also before the workflow runs; the second word is refused and changes nothing."""
    key = stage.new_key()
    first = await stage.call(parts.flow_resolve, Words(words=["one"]), key=key)
    second = await stage.call(parts.flow_resolve, Words(words=["two"]), key=key)
    assert (first.number, first.words) == (0, [""])
    assert (second.number, second.words) == (409, ["one"])
    await stage.submit(parts.flow_run, Asked(), key=key)
    await _seen(stage, key, ["told", "word", "one"])


async def a_promise_wakes_who_waits_for_it(stage: Stage) -> None:
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(), key=key)
    await _seen(stage, key, ["waiting"])
    await stage.call(parts.flow_resolve, Words(words=["now"]), key=key)
    await _seen(stage, key, ["told", "word", "now"])


async def who_frees_its_slot_is_suspended_until_it_is_woken(stage: Stage) -> None:
    """And holds none of the places of those who work."""
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(kind="patient"), key=key)

    async def suspended() -> bool:
        return await stage.status(parts.flow_run, key) == "suspended"

    await stage.until(suspended)
    await stage.call(parts.flow_resolve, Words(words=["now"]), key=key)
    await _seen(stage, key, ["told", "word", "now"])


async def a_workflow_runs_once_for_each_key(stage: Stage) -> None:
    """A second submission is dropped, whatever it says."""
    key = stage.new_key()
    await stage.call(parts.flow_resolve, Words(words=["one"]), key=key)
    await stage.submit(parts.flow_run, Asked(), key=key)
    await _seen(stage, key, ["told", "word", "one"])
    await _completed(stage, key)
    await stage.submit(parts.flow_run, Asked(kind="break"), key=key)
    await _completed(stage, key)
    await _seen(stage, key, ["told", "word", "one"])


async def a_cancel_arrives_at_a_select_as_a_409(stage: Stage) -> None:
    """And can be swallowed: the handler writes and answers afterwards."""
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(), key=key)
    await _seen(stage, key, ["waiting"])
    await stage.cancel(parts.flow_run, key)
    await _seen(stage, key, ["cancelled", "409", "cancelled"])


async def an_uncaught_cancel_ends_the_run(stage: Stage) -> None:
    key = stage.new_key()
    await stage.submit(parts.flow_run, Asked(kind="uncaught"), key=key)
    await _seen(stage, key, ["waiting"])
    await stage.cancel(parts.flow_run, key)
    await _completed(stage, key)
    assert (await stage.call(parts.flow_seen, Asked(), key=key)).words == ["waiting"]


NEEDS_CANCEL: list[Scenario] = [
    a_cancel_arrives_at_a_select_as_a_409,
    an_uncaught_cancel_ends_the_run,
]

SCENARIOS: list[Scenario] = [
    a_handler_reads_its_own_writes,
    two_keys_of_an_actor_share_nothing,
    a_step_that_succeeds_runs_once,
    a_failed_step_is_tried_again,
    each_try_of_a_step_has_a_name_of_its_own,
    a_step_that_keeps_failing_gives_its_true_code,
    a_terminal_failure_of_a_step_is_not_tried_again,
    sends_arrive_in_order_and_delayed_ones_later,
    a_sleep_lasts_as_long_as_it_should,
    what_is_ready_wins_a_race_and_the_rest_can_be_waited_for,
    ids_are_the_same_after_a_wait,
    an_error_comes_out_as_it_went_in,
    an_unknown_exception_becomes_internal,
    a_killed_actor_frees_its_key,
    a_workflow_that_crashes_is_paused,
    a_promise_is_kept_once_and_for_all,
    a_promise_wakes_who_waits_for_it,
    who_frees_its_slot_is_suspended_until_it_is_woken,
    a_workflow_runs_once_for_each_key,
    *NEEDS_CANCEL,
]

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)


async def _error(answer: Awaitable[Message]) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await answer
    return caught.value


async def _seen(stage: Stage, key: str, words: list[str]) -> None:
    async def seen() -> bool:
        return (await stage.call(parts.flow_seen, Asked(), key=key)).words == words

    await stage.until(seen)


async def _completed(stage: Stage, key: str) -> None:
    async def completed() -> bool:
        return await stage.status(parts.flow_run, key) == "completed"

    await stage.until(completed)
