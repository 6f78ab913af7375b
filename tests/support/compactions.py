"""Compactions on the fake platform: the workflow, a thread, and a model that summarises."""

from actors.conversation import contract
from actors.conversation.contract.compaction import CompactRequest
from actors.conversation.contract.entry import Compaction as Record
from actors.conversation.contract.entry import Usage
from errors import RpcError
from services.completion import contract as completion
from services.completion.contract import CompleteRequest, CompleteResponse
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform
from workflows.compaction import contract as compaction
from workflows.compaction.contract import OutcomeRequest, OutcomeResponse
from workflows.compaction.handlers import Compaction
from workflows.compaction.settings import CompactionSettings


class Compacting:
    """The workflow, served, over a model that answers "summary 1", "summary 2", ...

    failures: raised, one after the other, before it answers.
    """

    def __init__(self, platform: FakePlatform, settings: CompactionSettings | None = None) -> None:
        self.platform = platform
        self.asked: list[CompleteRequest] = []
        self.failures: list[RpcError] = []
        self.says: str | None = None
        platform.serve(compaction.component, Compaction(settings or CompactionSettings()))
        platform.stub(completion.complete, self._complete)

    async def start(self, thread: Conversation) -> str:
        """Ask for a compaction; its id."""
        request = CompactRequest()
        started = await self.platform.call(contract.compact, request, key=thread.key)
        return started.compaction_id

    async def outcome(self, compaction_id: str) -> OutcomeResponse:
        """Wait for the end, as the gateway does."""
        return await self.platform.call(compaction.outcome, OutcomeRequest(), key=compaction_id)

    async def compact(self, thread: Conversation) -> OutcomeResponse:
        """One compaction, from the request to the answer."""
        compaction_id = await self.start(thread)
        await self.platform.settle()
        return await self.outcome(compaction_id)

    def transcripts(self) -> list[str]:
        """What the model was asked, without the instructions."""
        return [asked.messages[-1].content for asked in self.asked]

    def _complete(self, request: CompleteRequest, key: str) -> CompleteResponse:
        self.asked.append(request)
        if self.failures:
            raise self.failures.pop(0)
        said = f"summary {len(self.asked)}" if self.says is None else self.says
        return CompleteResponse(
            content=said,
            model="served/by",
            usage=Usage(prompt_tokens=100, completion_tokens=10, total_tokens=110),
            cost_usd="0.01",
            finished_at=self.platform.time,
        )


async def talk(thread: Conversation, turns: int, text: str = "{}", start: int = 0) -> None:
    """Say `q0`, be answered `a0`, and so on."""
    for number in range(start, start + turns):
        sent = await thread.send(text.format(f"q{number}"))
        await thread.finish(sent.run_id, text.format(f"a{number}"))


async def history(thread: Conversation) -> list[Record]:
    """The thread's compactions, newest first."""
    return (await thread.state()).compactions
