"""Events and live text: every reader gets the same, from anywhere, at any time."""

import uuid

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import (
    Conversation,
    Json,
    RefusedError,
    User,
    calls_about,
    types_of,
)
from tests.support.frames import DELTA, Frame, Frames, Seen, until
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

# Code points above 16 bits, combining marks, a family of one glyph, line ends that are text,
# a directional mark, and pieces that part what belongs together.
TOKENS = [
    "e",
    "\u0301",
    "🧑",
    "\u200d",
    "🧑",
    "\u200d🧒 ",
    "\u2028",
    "\r",
    "\u0085",
    "ﬁ",
    "\U0001d4b3 ",
    "\u202eabc",
    "!",
]
TURN = ["message.created", "run.started", "message.completed", "run.completed"]


async def read_text(frames: Frames, seen: Seen, length: int) -> str:
    """Take frames in until the live text of a run is that long; the run."""
    while True:
        frame = seen.take(await anext(frames))
        if frame.event == DELTA and len(seen.text_of(frame.data["runId"])) >= length:
            return frame.data["runId"]


async def test_a_turn_is_four_events_without_gaps(alice: User) -> None:
    thread = await alice.create()
    run = await thread.ask("hello")
    events = await thread.events()
    assert types_of(events) == TURN
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert {event["conversationKey"] for event in events} == {thread.key}
    assert {event["runId"] for event in events} == {run["runId"]}
    assert [event.get("attempt") for event in events] == [None, 1, 1, 1]
    created, started, completed, _ = events
    assert created["messageId"] == created["message"]["messageId"] == run["messageId"]
    assert started["messageId"] == completed["messageId"] == run["answerMessageId"]
    assert [event["createdAt"] for event in events] == sorted(e["createdAt"] for e in events)


async def test_live_text_is_what_the_model_said_code_point_by_code_point(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    said = "".join(TOKENS * 20)
    # It holds after the last token: what comes with the end need not come live as well.
    whole = Answer(tokens=TOKENS * 20, write_bytes=3, gate="end", hold_after=len(TOKENS) * 20)
    await model.script(whole, contains="code points")
    seen = Seen()
    async with thread.stream() as frames:
        run_id = await thread.send("code points")
        await read_text(frames, seen, len(said))
        assert seen.text_of(run_id) == said
        await model.release("end")
        await until(frames, seen, "run.completed")
    (call,) = await calls_about(model, "code points")
    assert call.text_sent == said
    assert seen.events[2]["message"]["content"] == said
    assert (await thread.said())[-1] == ("assistant", said)
    assert await thread.events() == seen.events


async def test_a_late_reader_gets_the_text_so_far_and_then_what_follows(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    held = Answer(tokens=TOKENS * 4, gate="late", hold_after=30)
    await model.script(held, contains="a late reader")
    early, late = Seen(), Seen()
    sent = "".join((TOKENS * 4)[:30])
    async with thread.stream() as first:
        run_id = await thread.send("a late reader")
        await read_text(first, early, len(sent))
        assert early.text_of(run_id) == sent
        async with thread.stream(after=early.last) as second:
            await read_text(second, late, len(sent))
            assert late.text_of(run_id) == sent
            await model.release("late")
            await until(second, late, "run.completed")
        await until(first, early, "run.completed")
    said = "".join(TOKENS * 4)
    for seen in (early, late):
        assert said.startswith(seen.text_of(run_id))
        assert seen.events[-2]["message"]["content"] == said
    assert late.events == early.events[2:]


async def test_a_late_reader_gets_the_text_so_far_of_a_very_long_answer(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    held = Answer(size_bytes=1_000_000, gate="long", hold_after=900)
    await model.script(held, contains="a very long answer")
    run_id = await thread.send("a very long answer")
    await model.wait(waiting=True)
    readers = [Seen(), Seen()]

    async def follow(seen: Seen) -> None:
        async with thread.stream() as frames:
            await read_text(frames, seen, 900_000)
            await model.release("long")
            await until(frames, seen, "run.completed")

    async with anyio.create_task_group() as group:
        for seen in readers:
            group.start_soon(follow, seen)
    (call,) = await calls_about(model, "a very long answer")
    for seen in readers:
        assert call.text_sent.startswith(seen.text_of(run_id))
        assert seen.events[2]["message"]["content"] == call.text_sent


async def test_the_partial_answer_is_durable_while_the_model_speaks(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    await model.script(Answer(tokens=TOKENS, gate="hold", hold_after=8), contains="partial")
    run_id = await thread.send("partial")
    text = "".join(TOKENS[:8])

    async def whole() -> Json:
        partial = (await thread.pull()).get("partial", {})
        return partial if partial.get("text") == text else {}

    partial = await stack.wait_until(whole)
    assert (partial["runId"], partial["attempt"], partial["offset"]) == (run_id, 1, len(text))
    await model.release("hold")
    run = await thread.settled(run_id)
    assert partial["messageId"] == run["answerMessageId"]
    assert "partial" not in await thread.pull()


async def test_a_pull_answers_at_once_when_there_is_something_and_waits_otherwise(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    assert await thread.pull(wait="0.3s") == {"events": []}
    await model.script(Answer(text="held", gate="hold", hold_after=0), contains="wait for me")
    await thread.send("wait for me")
    await thread.happened("run.started")
    answers: list[Json] = []

    async def pull() -> None:
        answers.append(await thread.pull(after=2, wait="25s"))

    async with anyio.create_task_group() as group:
        group.start_soon(pull)
        await model.release("hold")
    assert types_of(answers[0]["events"])[0] == "message.completed"


async def test_what_was_accepted_says_from_where_its_answer_is_read(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await thread.ask("first")
    text = f"held {uuid.uuid4()}"
    await model.script(Answer(text="yes", gate=text, hold_after=0), contains=text)
    sent = await thread.accept(text)
    queued = await thread.accept("behind it")
    assert (sent["lastSequence"], queued["lastSequence"]) == (6, 7)
    await model.release(text)
    await thread.settled(queued["runId"])
    events = await thread.pull(after=sent["lastSequence"])
    own = [event["type"] for event in events["events"] if event["runId"] == sent["runId"]]
    assert own == ["message.completed", "run.completed"]
    again = await thread.call("regenerate", message_id=sent["messageId"])
    await thread.settled(again["runId"])
    events = await thread.pull(after=again["lastSequence"])
    assert types_of(events["events"]) == ["message.completed", "run.completed"]


async def test_a_pull_takes_as_many_as_it_asks_for(alice: User) -> None:
    thread = await alice.create()
    await thread.ask("one")
    await thread.ask("two")
    events: list[Json] = []
    while len(events) < 8:
        answer = await thread.pull(after=len(events), limit=3)
        assert answer["lastSequence"] == 8
        events += answer["events"]
        assert len(answer["events"]) == 3 or len(events) == 8
    assert types_of(events) == TURN * 2


async def test_a_reader_beyond_the_end_is_told_so(alice: User) -> None:
    thread = await alice.create()
    await thread.ask("hello")
    assert (await thread.pull(after=4))["events"] == []
    with pytest.raises(RefusedError) as refused:
        await thread.pull(after=5, wait="20s")
    assert (refused.value.status, refused.value.reason) == (400, "events.beyond_end")
    with pytest.raises(RefusedError) as refused:
        async with thread.stream(after=5):
            pass
    assert (refused.value.status, refused.value.reason) == (400, "events.beyond_end")


async def test_readers_at_different_places_see_the_same_events(alice: User) -> None:
    thread = await alice.create()
    for text in ("one", "two", "three"):
        await thread.ask(text)
    whole = await thread.events()
    assert types_of(whole) == TURN * 3
    for after in (0, 1, 5, 11):
        seen = Seen()
        async with thread.stream(after) as frames:
            while seen.last < 12:
                seen.take(await anext(frames))
        assert seen.events == whole[after:]
        assert await thread.events(after) == whole[after:]


async def test_a_reader_goes_on_where_it_stopped_in_the_middle_of_an_answer(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(tokens=TOKENS, gate="hold", hold_after=5), contains="resume")
    seen = Seen()
    async with thread.stream() as frames:
        run_id = await thread.send("resume")
        await read_text(frames, seen, len("".join(TOKENS[:5])))
    assert seen.last == 2
    async with thread.stream(seen.last) as frames:
        await model.release("hold")
        await until(frames, seen, "run.completed")
    assert "".join(TOKENS).startswith(seen.text_of(run_id))
    assert types_of(seen.events) == TURN
    assert seen.events[2]["message"]["content"] == "".join(TOKENS)


async def test_an_attempt_that_failed_is_void_for_readers(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    cut = Answer(text="void void void", gate="cut", hold_after=2, cut_after=2)
    again = Answer(tokens=TOKENS, gate="end", hold_after=len(TOKENS))
    await model.script(cut, again, contains="attempts")
    seen = Seen()
    async with thread.stream() as frames:
        run_id = await thread.send("attempts")
        await read_text(frames, seen, len("void void "))
        await model.release("cut")
        retrying = await until(frames, seen, "run.retrying")
        while len(seen.text_of(run_id, 2)) < len("".join(TOKENS)):
            seen.take(await anext(frames))
        await model.release("end")
        await until(frames, seen, "run.completed")
    assert retrying.data["attempt"] == 2
    assert seen.text_of(run_id, 1) == "void void "
    assert seen.text_of(run_id, 2) == "".join(TOKENS)
    assert seen.events[3]["message"]["content"] == "".join(TOKENS)


async def test_events_are_for_their_owner_only(alice: User, bob: User) -> None:
    thread = await alice.create()
    await thread.ask("a secret")
    stranger = Conversation(bob, thread.key)
    with pytest.raises(RefusedError) as refused:
        await stranger.pull()
    assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")
    with pytest.raises(RefusedError) as refused:
        async with stranger.stream():
            pass
    assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")


async def test_ids_are_sequences_and_live_text_has_none(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(text="one two", gate="hold", hold_after=1), contains="ids")
    frames_seen: list[Frame] = []
    async with thread.stream() as frames:
        await thread.send("ids")
        async for frame in frames:
            frames_seen.append(frame)
            if frame.event == DELTA:
                await model.release("hold")
            if frame.event == "run.completed":
                break
    live = [frame for frame in frames_seen if frame.event == DELTA]
    assert live
    assert {frame.id for frame in live} == {""}
    assert [set(frame.data) for frame in live] == [
        {"runId", "messageId", "attempt", "offset", "text"}
    ] * len(live)
    assert [frame.id for frame in frames_seen if frame.id] == ["1", "2", "3", "4"]
