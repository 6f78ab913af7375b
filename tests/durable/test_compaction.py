"""Threads are compacted by a real model call, whatever dies meanwhile."""

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, Json, RefusedError, User, calls_about

pytestmark = pytest.mark.anyio

# In the question that asks for a summary, and in no message.
ASKED = "<messages>"


async def talked(alice: User, turns: int, text: str = "turn {}") -> Conversation:
    """A thread with some turns, each answered with what was said."""
    thread = await alice.create()
    for number in range(turns):
        await thread.ask(text.format(number))
    return thread


async def summarises(model: OpenRouterControl, text: str, **how: object) -> None:
    """The model's answer when it is asked for a summary."""
    answer = Answer.model_validate({"text": text, **how})
    await model.script(answer, contains=ASKED, repeat_last=True)


async def asked_with(model: OpenRouterControl, text: str) -> list[str]:
    """The contents of the context of the call that asked this question."""
    [*_, call] = await calls_about(model, text)
    return [message["content"] for message in call.messages]


async def test_a_thread_is_compacted_and_its_next_run_reads_the_summary_and_the_newest(
    model: OpenRouterControl, alice: User
) -> None:
    await summarises(model, "They counted turns.")
    thread = await talked(alice, 8, "turn {} " + "of many words that say little " * 4)
    answer = await thread.call("compact-conversation")
    done: Json = answer["compaction"]
    assert done["messagesSummarized"] == 6
    assert int(done["tokensSaved"]) == int(done["tokensBefore"]) - int(done["tokensAfter"]) > 0
    assert (done["trigger"], done["branchId"]) == ("MANUAL", "main")

    await thread.ask("and now?")
    context = await asked_with(model, "and now?")
    assert context[0].endswith("They counted turns.")
    assert len(context) == 1 + 10 + 1
    assert context[1].startswith("turn 3")

    state = await thread.state()
    assert state["compactions"] == [done]
    assert state["contextSummary"] == "They counted turns."
    assert len(state["messages"]) == 18
    [told] = [e for e in await thread.events() if e["type"] == "context.compacted"]
    assert told["compaction"] == done
    await thread.call("compact-conversation")
    with pytest.raises(RefusedError) as raised:
        await thread.call("compact-conversation")
    assert raised.value.reason == "compaction.nothing"


async def test_a_second_compaction_is_refused_while_one_is_under_way(
    model: OpenRouterControl, alice: User
) -> None:
    await summarises(model, "one two three", gate="slow", hold_after=1)
    thread = await talked(alice, 8)
    answers: list[Json] = []

    async def compact() -> None:
        answers.append(await thread.call("compact-conversation"))

    async with anyio.create_task_group() as group:
        group.start_soon(compact)
        await model.wait(calls=9, tokens_sent=1, waiting=True)
        assert (await thread.state())["compactionRunning"]
        with pytest.raises(RefusedError) as raised:
            await thread.call("compact-conversation")
        assert (raised.value.code, raised.value.reason) == (
            "FAILED_PRECONDITION", "compaction.running",
        )  # fmt: skip
        # The thread answers meanwhile.
        assert (await thread.ask("meanwhile"))["status"] == "COMPLETED"
        await model.release("slow")
    [answer] = answers
    state = await thread.state()
    assert state["contextSummary"] == "one two three"
    assert state["compactions"] == [answer["compaction"]]


async def test_a_model_that_is_down_leaves_the_thread_as_it_was(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await talked(alice, 8)
    before = await thread.state()
    await model.script(Answer(status=402), contains=ASKED, repeat_last=True)
    with pytest.raises(RefusedError) as raised:
        await thread.call("compact-conversation")
    assert (raised.value.code, raised.value.is_terminal) == ("INSUFFICIENT_CREDITS", True)
    assert await thread.state() == before
    await model.reset()
    await summarises(model, "better now")
    await thread.call("compact-conversation")
    assert (await thread.state())["contextSummary"] == "better now"


async def test_a_thread_compacts_itself_after_the_run_that_crossed_the_threshold(
    model: OpenRouterControl, alice: User
) -> None:
    await summarises(model, "It is about words.")
    managed = {"strategy": "SUMMARIZE", "keepLast": 2, "threshold": 0.1}
    config = {"model": "double/echo-mini"}
    thread = await alice.create(settings={"contextManagement": managed}, generationConfig=config)
    for number in range(4):
        await thread.ask(f"turn {number} " + "word " * 150)
    await thread.happened("context.compacted")
    state = await thread.state()
    assert state["compactions"][0]["trigger"] == "AUTOMATIC"
    assert state["settings"]["contextManagement"] == managed
    await thread.ask("and now?")
    assert (await asked_with(model, "and now?"))[0].endswith("It is about words.")


async def test_a_thread_of_large_messages_fits_a_small_model(
    model: OpenRouterControl, alice: User
) -> None:
    config = {"model": "double/echo-mini"}
    thread = await alice.create(generationConfig=config)
    for number in range(6):
        await model.script(Answer(text="short"), contains=f"large {number}")
        await thread.ask(f"large {number} " + "word " * 2000)
    run = await thread.ask("and now?")
    assert run["status"] == "COMPLETED"
    context = await asked_with(model, "and now?")
    assert 1 < len(context) < 13
    assert context[-1] == "and now?"


async def test_a_deleted_thread_takes_its_summaries_with_it(
    model: OpenRouterControl, alice: User
) -> None:
    await summarises(model, "A secret summary.")
    thread = await talked(alice, 8)
    await thread.call("compact-conversation")
    await thread.call("delete-thread")
    again = await alice.create(thread.key)
    state = await again.state()
    assert (state["compactions"], state.get("contextSummary", "")) == ([], "")
