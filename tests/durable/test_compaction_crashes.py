"""Processes die in the middle of a compaction, and the one who asked for it gets the answer."""

import uuid
from collections.abc import AsyncIterator

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Json, User, types_of, user_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def stack(mortal_stack: RunningStack) -> RunningStack:
    """Whose processes may be killed."""
    return mortal_stack


@pytest.fixture
async def alice(stack: RunningStack) -> AsyncIterator[User]:
    """A user who repeats what a restart interrupted."""
    async with user_of(stack, patient=True) as alice:
        yield alice


@pytest.mark.parametrize("victim", ["handlers", "restate"])
async def test_a_compaction_outlives_the_death_of_a_process(
    model: OpenRouterControl, alice: User, stack: RunningStack, victim: str
) -> None:
    thread = await alice.create()
    for number in range(8):
        await thread.ask(f"turn {number}")
    slow = Answer(text="the whole summary", gate="slow", hold_after=1)
    whole = Answer(text="the whole summary")
    await model.script(slow, whole, contains="turn 0", repeat_last=True)
    answers: list[Json] = []
    # With a key a repeat finds the compaction that goes on.
    asking = User(alice.http, stack.alice, patient=True)
    asking.headers["idempotency-key"] = uuid.uuid4().hex

    async def compact() -> None:
        body = {"conversationKey": thread.key}
        answers.append(await asking.call("compact-conversation", body))

    async with anyio.create_task_group() as group:
        group.start_soon(compact)
        await model.wait(calls=9, tokens_sent=1, waiting=True)
        await stack.kill(victim)
        await stack.start(victim)
        await model.release("slow")
    [answer] = answers
    state = await thread.state()
    assert state["contextSummary"] == "the whole summary"
    assert state["compactions"] == [answer["compaction"]]
    assert types_of(await thread.events()).count("context.compacted") == 1
    assert (await thread.ask("and now?"))["status"] == "COMPLETED"
