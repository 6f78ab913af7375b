"""Processes that die with signal 9 in the middle of an answer, and readers who go on."""

from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, User, calls_about, types_of, user_of
from tests.support.following import follow_pulls, follow_stream, runs_ended
from tests.support.frames import Seen, until
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

SECONDS = 60
TOKENS = [
    "The ",
    "e\u0301",
    "le\u0301",
    "phant ",
    "🧑",
    "\u200d",
    "🌾 ",
    "walks ",
    "\U0001d4b3",
    ".",
]
SAID = "".join(TOKENS)


@pytest.fixture(scope="module")
def stack(mortal_stack: RunningStack) -> RunningStack:
    """Whose processes may be killed."""
    return mortal_stack


@pytest.fixture
async def alice(stack: RunningStack) -> AsyncIterator[User]:
    """A user who repeats what a restart interrupted."""
    async with user_of(stack, patient=True) as alice:
        yield alice


class Readers:
    """One reader of the stream and one who pulls, in the background."""

    def __init__(self, thread: Conversation) -> None:
        self.thread = thread
        self.streamed, self.pulled = Seen(), Seen()
        self.run_id = ""

    async def follow(self, runs: int = 1) -> None:
        """Read until that many runs have ended."""
        async with anyio.create_task_group() as group:
            for follow, seen in ((follow_stream, self.streamed), (follow_pulls, self.pulled)):
                group.start_soon(follow, self.thread, seen, runs_ended(runs), SECONDS)

    async def begin(
        self, stack: RunningStack, model: OpenRouterControl, text: str, *later: Answer
    ) -> None:
        """Send a message whose answer holds after five tokens, and wait until they were read."""
        await model.script(Answer(tokens=TOKENS, gate="hold", hold_after=5), *later, contains=text)
        self.run_id = await self.thread.send(text)

        async def read() -> bool:
            return self.streamed.text_of(self.run_id) == "".join(TOKENS[:5])

        await stack.wait_until(read)


async def restart(stack: RunningStack, *names: str) -> None:
    """Kill processes, then start them again."""
    for name in names:
        await stack.kill(name)
    for name in names:
        await stack.start(name)


async def test_a_run_goes_on_when_restate_dies_and_the_model_is_called_once(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    readers = Readers(thread)
    async with anyio.create_task_group() as group:
        group.start_soon(readers.follow)
        await readers.begin(stack, model, "restate dies")
        await restart(stack, "restate")
        await model.release("hold")
    events = await thread.events()
    assert types_of(events) == [
        "message.created",
        "run.started",
        "message.completed",
        "run.completed",
    ]
    assert readers.streamed.events == readers.pulled.events == events
    (call,) = await calls_about(model, "restate dies")
    assert events[2]["message"]["content"] == call.text_sent == SAID
    assert SAID.startswith(readers.streamed.text_of(readers.run_id))
    assert (await thread.run(readers.run_id))["attempts"] == 1


async def test_a_run_starts_anew_when_the_handlers_die_and_readers_are_told(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    readers = Readers(thread)
    again = Answer(tokens=TOKENS[::-1], gate="end", hold_after=len(TOKENS))
    async with anyio.create_task_group() as group:
        group.start_soon(readers.follow)
        await readers.begin(stack, model, "the handlers die", again)
        await restart(stack, "handlers")
        await model.wait(call=1, tokens_sent=len(TOKENS))
        await model.release("end")
    events = await thread.events()
    assert types_of(events) == [
        "message.created", "run.started", "run.retrying", "message.completed", "run.completed",
    ]  # fmt: skip
    assert readers.streamed.events == readers.pulled.events == events
    first, second = await calls_about(model, "the handlers die")
    assert first.closed_by_client
    assert readers.streamed.text_of(readers.run_id, 1) == first.text_sent == "".join(TOKENS[:5])
    assert second.text_sent.startswith(readers.streamed.text_of(readers.run_id, 2))
    assert events[3]["message"]["content"] == second.text_sent == "".join(TOKENS[::-1])
    assert [event.get("attempt") for event in events] == [None, 1, 2, 2, 2]
    assert (await thread.run(readers.run_id))["attempts"] == 2


async def test_a_run_does_not_notice_that_the_edge_dies(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    readers = Readers(thread)
    async with anyio.create_task_group() as group:
        group.start_soon(readers.follow)
        await readers.begin(stack, model, "the edge dies")
        await restart(stack, "edge")
        await model.release("hold")
    events = await thread.events()
    assert readers.streamed.events == readers.pulled.events == events
    (call,) = await calls_about(model, "the edge dies")
    assert events[2]["message"]["content"] == call.text_sent == SAID
    assert SAID.startswith(readers.streamed.text_of(readers.run_id))


async def test_a_reader_comes_back_after_everything_was_restarted(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    await thread.ask("before")
    seen = Seen()
    async with thread.stream() as frames:
        await model.script(
            Answer(tokens=TOKENS, gate="hold", hold_after=5), Answer(text="anew"), contains="during"
        )
        run_id = await thread.send("during")
        await until(frames, seen, "message.delta")
    waiting = await thread.send("queued")
    last = seen.last
    await restart(stack, "edge", "handlers", "restate")
    await follow_stream(thread, seen, runs_ended(3), SECONDS)
    events = await thread.events()
    assert seen.events == events
    assert await thread.events(last) == events[last:]
    assert len(await calls_about(model, "during")) == 2
    assert (await thread.run(run_id))["attempts"] == 2
    assert (await thread.run(waiting))["status"] == "COMPLETED"
    assert await thread.said() == [
        ("user", "before"),
        ("assistant", "You said: before"),
        ("user", "during"),
        ("user", "queued"),
        ("assistant", "anew"),
        ("assistant", "You said: queued"),
    ]


async def test_a_stop_that_was_asked_for_before_a_crash_is_kept(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    readers = Readers(thread)
    async with anyio.create_task_group() as group:
        group.start_soon(readers.follow)
        await readers.begin(stack, model, "stopped, then a crash")
        await thread.cancel(readers.run_id)
        await restart(stack, "handlers")
    run = await thread.run(readers.run_id)
    assert run["status"] == "CANCELLED"
    (call,) = await calls_about(model, "stopped, then a crash")
    assert call.closed_by_client
    (partial,) = [text for role, text in await thread.said() if role == "assistant"]
    assert call.text_sent.startswith(partial)


async def test_a_stream_ends_with_a_farewell_when_the_edge_is_stopped(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    thread = await alice.create()
    await model.script(Answer(tokens=TOKENS, gate="hold", hold_after=5), contains="farewell")
    seen, last = Seen(), ""
    stopped: list[bool] = []

    async def stop() -> None:
        edge = stack.processes.processes["edge"]
        stopped.append(await anyio.to_thread.run_sync(edge.stop))

    async with anyio.create_task_group() as group, thread.stream() as frames:
        await thread.send("farewell")
        await until(frames, seen, "message.delta")
        group.start_soon(stop)
        async for frame in frames:
            last = seen.take(frame).event
    assert (last, stopped) == ("bye", [True])
    await stack.start("edge")
    await model.release("hold")
    await follow_stream(thread, seen, runs_ended(1), SECONDS)
    assert seen.events == await thread.events()
    assert seen.events[2]["message"]["content"] == SAID


async def test_a_client_that_goes_away_frees_its_stream(alice: User, stack: RunningStack) -> None:
    thread = await alice.create()

    async def open_streams() -> float:
        answer = await alice.http.get(f"{stack.processes.private_url}/metrics")
        lines = answer.text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("edge_streams ")))

    async def are_open(streams: int) -> None:
        async def reached() -> bool:
            return await open_streams() == streams

        await stack.wait_until(reached)

    await are_open(0)  # those of earlier tests are gone, too
    async with thread.stream(), thread.stream():
        await are_open(2)
    await are_open(0)
