"""Models that are silent, and runs for which nobody answers, on a platform with short deadlines."""

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, Json, User, calls_about, types_of
from tests.support.frames import Seen, until
from tests.support.operator import Operator
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

# As conftest sets them; a test waits for the sum and is generous beyond it.
DEADLINE_AND_GRACE = 6 + 1
CANCEL_GRACE = 1

# Alive for longer than any deadline here.
TRICKLE = Answer(token_count=200, token_delay_ms=200)


@pytest.fixture(scope="module")
def stack(impatient_stack: RunningStack) -> RunningStack:
    """Short deadlines."""
    return impatient_stack


@pytest.fixture
def operator(stack: RunningStack) -> Operator:
    """Somebody with access to the admin port."""
    return Operator(stack)


async def streaming(
    stack: RunningStack, model: OpenRouterControl, thread: Conversation, text: str
) -> str:
    """Start a run that goes on for long, and wait until some of its answer is durable."""
    await model.script(TRICKLE, contains=text)
    run_id = await thread.send(text)

    async def partial() -> Json | None:
        return (await thread.pull()).get("partial")

    await stack.wait_until(partial)
    return run_id


def failed(run: Json, code: str, reason: str) -> None:
    """The run failed with this error, which a later try may not meet."""
    assert run["status"] == "FAILED"
    error = run["error"]
    assert (error["code"], error["details"]["reason"]) == (code, reason)
    assert not error["isTerminal"]


async def test_a_model_that_does_not_begin_in_time_fails_the_run(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(hold_headers=True, gate="never"), contains="begin", repeat_last=True)
    run = await thread.ask("begin")
    failed(run, "DEADLINE_EXCEEDED", "model.first_token_timeout")
    assert run["attempts"] == 2
    assert types_of(await thread.events()) == [
        "message.created", "run.started", "run.retrying", "run.failed",
    ]  # fmt: skip
    assert await thread.said() == [("user", "begin")]
    assert all(call.closed_by_client for call in await calls_about(model, "begin"))


async def test_a_model_that_begins_late_once_is_asked_again(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    late = Answer(hold_after=0, gate="never", comment_every_ms=100)
    await model.script(late, Answer(text="in time"), contains="late")
    run = await thread.ask("late")
    assert (run["status"], run["attempts"]) == ("COMPLETED", 2)
    assert await thread.said() == [("user", "late"), ("assistant", "in time")]


async def test_a_model_that_stalls_in_mid_stream_leaves_its_partial(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    stall = Answer(text="one two three", stall_after=2, comment_every_ms=100)
    await model.script(stall, contains="stall", repeat_last=True)
    run = await thread.ask("stall")
    failed(run, "DEADLINE_EXCEEDED", "model.stalled")
    assert run["attempts"] == 2
    assert types_of(await thread.events()) == [
        "message.created", "run.started", "run.retrying", "message.completed", "run.failed",
    ]  # fmt: skip
    answer = (await thread.state())["messages"][-1]
    assert (answer["content"], answer["partial"]) == ("one two ", True)
    assert all(call.closed_by_client for call in await calls_about(model, "stall"))


@pytest.mark.parametrize("deed", ["kill", "pause"])
async def test_a_run_that_an_operator_took_away_is_settled_and_the_queue_goes_on(
    model: OpenRouterControl, alice: User, operator: Operator, stack: RunningStack, deed: str
) -> None:
    thread = await alice.create()
    text = f"to be lost by {deed}"
    run_id = await streaming(stack, model, thread, text)
    waiting = await thread.send("the next")
    await (operator.kill(run_id) if deed == "kill" else operator.pause(run_id))
    run = await thread.settled(run_id, DEADLINE_AND_GRACE * 3)
    failed(run, "UNAVAILABLE", "run.lost")
    assert (await thread.settled(waiting))["status"] == "COMPLETED"
    assert await thread.said() == [
        ("user", text),
        ("user", "the next"),
        ("assistant", "You said: the next"),
    ]
    events = await thread.events()
    lost = next(event for event in events if event["type"] == "run.failed")
    assert lost["error"] == run["error"]
    (call,) = await model.wait(call=0, call_closed=True) and await calls_about(model, text)
    assert call.closed_by_client  # the stream that nobody reads was given up


async def test_a_model_that_speaks_for_ever_is_cut_at_the_deadline_of_the_run(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(TRICKLE, contains="for ever")
    run = await thread.ask("for ever")
    failed(run, "DEADLINE_EXCEEDED", "model.timed_out")
    assert run["attempts"] == 1
    (call,) = await model.wait(call_closed=True)
    assert call.closed_by_client
    answer = (await thread.state())["messages"][-1]
    assert answer["partial"]
    assert call.text_sent.startswith(answer["content"])


async def test_a_run_that_is_resumed_after_it_was_settled_changes_nothing(
    model: OpenRouterControl, alice: User, operator: Operator, stack: RunningStack
) -> None:
    thread = await alice.create()
    run_id = await streaming(stack, model, thread, "resumed too late")
    await operator.pause(run_id)
    run = await thread.settled(run_id, DEADLINE_AND_GRACE * 3)
    events = await thread.events()
    await model.reset()
    await operator.resume(run_id)

    async def over() -> bool:
        return operator.status_of(run_id) == "completed"

    await stack.wait_until(over)
    assert await thread.run(run_id) == run
    assert await thread.events() == events


async def test_an_operators_cancel_ends_the_run_at_once_and_keeps_the_partial(
    model: OpenRouterControl, alice: User, operator: Operator, stack: RunningStack
) -> None:
    thread = await alice.create()
    run_id = await streaming(stack, model, thread, "cancelled from below")
    await operator.cancel(run_id)
    run = await thread.settled(run_id)
    assert run["status"] == "CANCELLED"
    (call,) = await model.wait(call_closed=True)
    assert call.closed_by_client
    answer = (await thread.state())["messages"][-1]
    assert answer["partial"]
    assert call.text_sent.startswith(answer["content"])


async def test_a_cancel_that_the_workflow_cannot_answer_is_settled_by_the_thread(
    model: OpenRouterControl, alice: User, operator: Operator, stack: RunningStack
) -> None:
    thread = await alice.create()
    run_id = await streaming(stack, model, thread, "paused, then cancelled")
    waiting = await thread.send("the next")
    await operator.pause(run_id)
    await thread.cancel(run_id)
    # Long before the deadline, at which it would be lost.
    run = await thread.settled(run_id, CANCEL_GRACE + 5)
    assert run["status"] == "CANCELLED"
    assert (await thread.settled(waiting))["status"] == "COMPLETED"


async def test_a_silent_stream_is_kept_open_with_comments(alice: User) -> None:
    thread = await alice.create()
    async with thread.stream() as frames:
        comments = 0
        async for frame in frames:
            assert frame.comment
            comments += 1
            if comments == 3:
                break
        await thread.send("still there")
        seen = Seen()
        await until(frames, seen, "run.completed")
        assert types_of(seen.events)[0] == "message.created"
