"""Many turns while processes are killed at random moments: nothing is lost, doubled, reordered."""

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from tests.support.conversation import Json, user_of
from tests.support.following import (
    Killer,
    answered_once_in_order,
    ask_while_killed,
    follow_pulls,
    follow_stream,
    runs_ended,
)
from tests.support.frames import Seen
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(mortal_stack: RunningStack) -> RunningStack:
    """Whose processes may be killed."""
    return mortal_stack


async def test_twenty_turns_survive_the_deaths_of_handlers_and_restate(
    model: OpenRouterControl, stack: RunningStack
) -> None:
    await model.pace(first_token_delay_ms=20, token_delay_ms=20)
    killer = Killer(stack, ("handlers", "restate"), times=2)
    async with user_of(stack, patient=True) as alice:
        threads = await alice.create_many(4)
        accepted: list[list[Json]] = [[] for _ in threads]
        async with anyio.create_task_group() as group:
            group.start_soon(killer.run)
            for number, thread in enumerate(threads):
                texts = [f"turn {turn} of thread {number}" for turn in range(5)]
                group.start_soon(ask_while_killed, thread, texts, killer, accepted[number])
        for thread, taken in zip(threads, accepted, strict=True):
            assert len(taken) == 5
            await thread.settled(taken[-1]["runId"])
            answered_once_in_order(await thread.events(), taken)


@pytest.mark.timeout(240)
async def test_two_hundred_turns_with_readers_survive_the_deaths_of_every_process(
    model: OpenRouterControl, stack: RunningStack
) -> None:
    await model.pace(first_token_delay_ms=10, token_delay_ms=10)
    killer = Killer(stack, ("handlers", "restate", "edge"), times=3)
    async with user_of(stack, patient=True) as alice:
        threads = await alice.create_many(10)
        accepted: list[list[Json]] = [[] for _ in threads]
        readers = [(Seen(), Seen()) for _ in threads]
        async with anyio.create_task_group() as group:
            group.start_soon(killer.run)
            for number, thread in enumerate(threads):
                texts = [f"turn {turn} of thread {number}" for turn in range(20)]
                group.start_soon(ask_while_killed, thread, texts, killer, accepted[number])
                for follow, seen in zip(
                    (follow_stream, follow_pulls), readers[number], strict=True
                ):
                    group.start_soon(follow, thread, seen, runs_ended(20), 200)
        for thread, taken, (streamed, pulled) in zip(threads, accepted, readers, strict=True):
            events = await thread.events()
            answered_once_in_order(events, taken)
            assert len(taken) == 20
            assert streamed.events == pulled.events == events
            for event in events:
                if event["type"] == "message.completed":
                    live = streamed.text_of(event["runId"], event["attempt"])
                    assert event["message"]["content"].startswith(live)
