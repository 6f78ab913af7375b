"""Runs on the fake platform with a scripted model: the workflow, its streams, and its thread."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from actors.conversation import contract as conversation
from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import (
    BeginRunRequest,
    BeginRunResponse,
    ContextMessage,
    FinishRunRequest,
    RetryingRequest,
    Work,
)
from actors.conversation.contract.thread import GenerationConfig
from chassis.sealing import Sealing
from errors import RpcError
from services.mcp.calls import ToolCalls
from services.mcp.client import McpClient
from services.mcp.settings import McpSettings
from services.openrouter.chunk import Chunk
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest, Delta, Finish, Usage
from tests.support.fake_invocation import Invocation
from tests.support.fake_platform import FakePlatform
from tests.support.toolbox import LOOPBACK
from workflows.generation import contract
from workflows.generation.contract import PartialRequest, PartialResponse, RunRequest, StopRequest
from workflows.generation.handlers import Generation
from workflows.generation.settings import GenerationSettings

RUN = "run_1"
THREAD = "acme/alice/one"

Line = str | Finish | RpcError | asyncio.Event

END = Finish(
    model="served/by",
    finish_reason="stop",
    provider="provider",
    generation_id="gen_1",
    usage=Usage(prompt_tokens=5, completion_tokens=7, total_tokens=12, cost="0.01"),
)


class ScriptedModel:
    """Says what its script says, call by call: text, an end, an error, or silence until an event.

    asked: the requests that came. open: how many upstream connections are open now.
    """

    def __init__(self, *scripts: list[Line]) -> None:
        self._scripts = list(scripts)
        self.asked: list[ChatRequest] = []
        self.open = 0

    @asynccontextmanager
    async def stream_chat(
        self, request: ChatRequest
    ) -> AsyncGenerator[AsyncIterator[Delta | Finish]]:
        """See `ChatStreamer`."""
        self.asked.append(request)
        script = self.script(request)
        self.open += 1
        try:
            yield self._lines(script)
        finally:
            self.open -= 1

    def script(self, request: ChatRequest) -> list[Line]:
        """What to say to this request; the last script is used again when all were."""
        return self._scripts[min(len(self.asked), len(self._scripts)) - 1]

    async def _lines(self, script: list[Line]) -> AsyncIterator[Delta | Finish]:
        for line in script:
            match line:
                case str():
                    yield Delta(text=line)
                case Finish():
                    yield line
                case asyncio.Event():
                    await line.wait()
                case RpcError():
                    raise line
            # Text that comes in pieces comes at moments of its own.
            await asyncio.sleep(0)


class ProcessStreams:
    """The streams of a process that can be lost with all it holds."""

    def __init__(self, model: ScriptedModel, limit: int) -> None:
        self._model = model
        self._limit = limit
        self._now = self._new()
        self._closing: set[asyncio.Task[None]] = set()

    def lose(self) -> None:
        """The process died; the next one has no streams."""
        task = asyncio.ensure_future(self._now.aclose())
        self._closing.add(task)
        self._now = self._new()

    async def aclose(self) -> None:
        """Close what is open, and what was lost."""
        await self._now.aclose()
        await asyncio.gather(*self._closing)

    async def take(self, *asked: Any, **how: Any) -> Chunk:
        """See `ModelStreams`. How long the first token took is this machine's time, which is not
        the same when a story is played again."""
        chunk = await self._now.take(*asked, **how)
        return replace(chunk, first_token_ms=None if chunk.first_token_ms is None else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now, name)

    def _new(self) -> ModelStreams:
        return ModelStreams(self._model, limit=self._limit, lease_seconds=30)


class Audience:
    """Who follows runs; nobody, unless a test says so."""

    def __init__(self) -> None:
        self.followed: list[str] = []
        self.ended: list[str] = []

    def start(self, run_id: str, conversation: str, message_id: str) -> None:
        """See `answer.Audience`."""
        self.followed.append(run_id)

    def watched(self, conversation: str) -> bool:
        """See `answer.Audience`."""
        return True

    def end(self, run_id: str) -> None:
        """See `answer.Audience`."""
        self.ended.append(run_id)


class Generating:
    """The workflow, served; its thread is stubbed until a test serves the real one."""

    def __init__(
        self,
        platform: FakePlatform,
        model: ScriptedModel,
        *,
        limit: int = 10,
        attempts: int = 3,
    ) -> None:
        self.platform = platform
        self.model = model
        self.streams = ProcessStreams(model, limit)
        self.audience = Audience()
        self.begun: list[BeginRunRequest] = []
        self.work: Work | None = Work(
            answer_message_id="msg_answer",
            generation_config=GenerationConfig(model="asked/for", temperature=0.5),
            context=[ContextMessage(role=Role.user, content="hello")],
        )
        settings = GenerationSettings(
            attempts=attempts, chunk_seconds=0.01, watched_chunk_seconds=0.001
        )
        streams = cast("ModelStreams", self.streams)
        self.calls = ToolCalls(McpClient(LOOPBACK, McpSettings()), Sealing([]))
        platform.serve(contract.component, Generation(streams, self.audience, settings, self.calls))
        platform.stub(conversation.begin_run, self._begin)

    def start(self, *, admitted: bool = True) -> Invocation:
        """Start the run, with its work or without."""
        work = self.work if admitted else None
        request = RunRequest(conversation=THREAD, work=work)
        return self.platform.start(contract.run, request, key=RUN)

    async def run(self, *, admitted: bool = True) -> FinishRunRequest:
        """Run to the end and answer the report."""
        await self.platform.finish(self.start(admitted=admitted))
        return self.report()

    async def stop(self, reason: str = "enough") -> None:
        """Stop the run, as the thread does."""
        await self.platform.call(contract.stop, StopRequest(reason=reason), key=RUN)

    async def partial(self) -> PartialResponse:
        """The durable text so far."""
        return await self.platform.call(contract.partial, PartialRequest(), key=RUN)

    def report(self) -> FinishRunRequest:
        """The one report that the thread got."""
        [(key, report)] = self.platform.sent(conversation.finish_run)
        assert key == THREAD
        assert report.run_id == RUN
        return report

    def retried(self) -> list[RetryingRequest]:
        """What the thread heard of new attempts."""
        return [request for _, request in self.platform.sent(conversation.report_retrying)]

    def _begin(self, request: BeginRunRequest, key: str) -> BeginRunResponse:
        assert key == THREAD
        self.begun.append(request)
        return BeginRunResponse(work=self.work)


@asynccontextmanager
async def generating(
    *scripts: list[Line],
    limit: int = 10,
    attempts: int = 3,
    suspends: bool = False,
) -> AsyncGenerator[Generating]:
    """A workflow over a model with these scripts."""
    async with FakePlatform(suspends=suspends) as platform:
        run = Generating(platform, ScriptedModel(*scripts), limit=limit, attempts=attempts)
        try:
            yield run
        finally:
            await run.streams.aclose()
