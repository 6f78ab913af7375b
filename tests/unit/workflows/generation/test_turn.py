"""Whole turns, thread and workflow together, in milliseconds and through every crash."""

import asyncio
from typing import cast

import pytest

from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import ThreadStatus
from actors.conversation_manager import contract as manager
from actors.conversation_manager.contract import ListRequest, RegisterRequest, Thread
from actors.conversation_manager.handlers import ConversationManager
from chassis.sealing import Sealing
from services.mcp.calls import ToolCalls
from services.mcp.client import McpClient
from services.mcp.settings import McpSettings
from services.openrouter import reasons
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform
from tests.support.generations import END, Audience, Line, ProcessStreams, ScriptedModel
from tests.support.toolbox import LOOPBACK
from workflows.generation import contract as generation
from workflows.generation.handlers import Generation
from workflows.generation.settings import GenerationSettings

pytestmark = pytest.mark.anyio

BUSY = reasons.RATE_LIMITED.error()
SETTINGS = GenerationSettings(chunk_seconds=0.002, watched_chunk_seconds=0.001)


class Turns:
    """A thread that is really answered."""

    def __init__(
        self, platform: FakePlatform, model: ScriptedModel, streams: ProcessStreams
    ) -> None:
        self.platform = platform
        self.model = model
        calls = ToolCalls(McpClient(LOOPBACK, McpSettings()), Sealing([]))
        workflow = Generation(cast("ModelStreams", streams), Audience(), SETTINGS, calls)
        platform.serve(generation.component, workflow)
        platform.serve(manager.component, ConversationManager())
        self.thread = Conversation(platform)

    async def open(self) -> None:
        """Create the thread and put it on its user's list."""
        opened = await self.thread.open("mine")
        thread = Thread(conversation_key="a thread", name="mine", created_at=opened.created_at)
        await self.platform.call(manager.register, RegisterRequest(thread=thread), key="acme/alice")

    async def said(self) -> list[tuple[str, str]]:
        """Role and content of every message."""
        return [(m.role.name, m.content) for m in (await self.thread.state()).messages]


async def played(turns: Turns) -> None:
    """Two questions, of which the second waits."""
    await turns.open()
    await turns.thread.send("one", "id 1")
    await turns.thread.send("two", "id 2")
    await turns.platform.advance(10)


async def answered_once(turns: Turns, *, attempts: int) -> None:
    """Every question was answered once, in order, whatever it took."""
    state = await turns.thread.state()
    assert state.status is ThreadStatus.IDLE
    assert state.queued_run_ids == []
    assert await turns.said() == [
        ("user", "one"), ("user", "two"), ("assistant", "answer 1"), ("assistant", "answer 2"),
    ]  # fmt: skip
    told = await turns.thread.told()
    for kind in ("message.created", "message.completed", "run.started", "run.completed"):
        assert told.count(kind) == 2, kind
    assert told.count("run.retrying") >= attempts
    assert not any(message.partial for message in state.messages)
    assert state.total_usage is not None
    assert state.total_usage.completion_tokens == 14
    listed = await turns.platform.call(manager.list_threads, ListRequest(), key="acme/alice")
    assert [thread.name for thread in listed.threads] == ["mine"]


def scripts() -> list[list[Line]]:
    return [["wro", BUSY], ["answer", " 1", END], ["answer 2", END]]


@pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])
async def test_questions_are_answered_once_and_in_order(suspends: bool) -> None:
    model = ScriptedModel(*scripts())
    streams = ProcessStreams(model, 10)
    async with FakePlatform(suspends=suspends) as platform:
        turns = Turns(platform, model, streams)
        await played(turns)
        await answered_once(turns, attempts=1)
        assert len(model.asked) == 3
        assert [m.content for m in model.asked[-1].messages] == ["one", "answer 1", "two"]
    await streams.aclose()


async def every_crash(*, loses_streams: bool) -> int:
    """Play the story with a crash before each thing that becomes durable."""
    for moment in range(1, 1000):
        # Whoever asks again is told the same: the scripts go by question, not by call.
        model = AnswersByQuestion()
        streams = ProcessStreams(model, 10)
        on_death = streams.lose if loses_streams else None
        async with FakePlatform(dies_at=moment, on_death=on_death) as platform:
            turns = Turns(platform, model, streams)
            await played(turns)
            await answered_once(turns, attempts=0)
            died = platform.died
        await streams.aclose()
        if not died:
            return moment - 1
    raise AssertionError("the story has no end")


class AnswersByQuestion(ScriptedModel):
    """Answers `one` with `answer 1` and so on, however often it is asked."""

    def script(self, request: ChatRequest) -> list[Line]:
        """See `ScriptedModel`."""
        number = {"one": 1, "two": 2}[str(request.messages[-1].content)]
        return ["answer", f" {number}", END]


@pytest.mark.parametrize("loses_streams", [False, True], ids=["line", "process"])
async def test_every_question_is_answered_once_whenever_a_crash_comes(loses_streams: bool) -> None:
    assert await every_crash(loses_streams=loses_streams) > 50


async def test_a_stopped_turn_makes_room_for_the_next() -> None:
    model = ScriptedModel(["half", asyncio.Event()], ["whole", END])
    streams = ProcessStreams(model, 10)
    async with FakePlatform() as platform:
        turns = Turns(platform, model, streams)
        await turns.open()
        first = await turns.thread.send("one")
        await turns.thread.send("two")
        platform.deliver()
        await platform.until(lambda: any("chunk:0" in state for state in platform.states.values()))
        await turns.thread.cancel(first.run_id)
        platform.deliver()
        await platform.until(lambda: model.open == 0)
        await platform.settle()
        assert (await turns.thread.run(first.run_id)).status is RunStatus.CANCELLED
        assert await turns.said() == [
            ("user", "one"), ("user", "two"), ("assistant", "half"), ("assistant", "whole"),
        ]  # fmt: skip
        assert (await turns.thread.state()).status is ThreadStatus.IDLE
    await streams.aclose()


async def test_a_workflow_that_is_lost_does_not_hold_the_thread_up() -> None:
    """An operator paused it, say: the watchdog settles the run and the queue goes on."""
    model = ScriptedModel(["late", END])
    streams = ProcessStreams(model, 10)
    async with FakePlatform() as platform:
        turns = Turns(platform, model, streams)
        await turns.open()
        lost = await turns.thread.send("one")
        following = await turns.thread.send("two")
        platform.outbox.clear()
        platform.now += turns.thread.deadline.total_seconds() + 1
        await turns.thread.check()
        await platform.settle()
        assert (await turns.thread.run(lost.run_id)).status is RunStatus.FAILED
        assert (await turns.thread.run(following.run_id)).status is RunStatus.COMPLETED
        assert len(model.asked) == 1
    await streams.aclose()
