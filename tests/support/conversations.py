"""A conversation on the fake platform, spoken to as its gateway and its workflow do."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from restate.server_context import restate_context_is_replaying

from actors.conversation import contract
from actors.conversation.acceptance import Accepting, Models
from actors.conversation.contract.branch import (
    Branch,
    BranchedResponse,
    ChooseBranchRequest,
    EditMessageRequest,
    ListBranchesRequest,
    RegenerateRequest,
)
from actors.conversation.contract.entry import ChatMessage, Event, Usage
from actors.conversation.contract.events import ReadEventsRequest
from actors.conversation.contract.run import (
    BeginRunRequest,
    BeginRunResponse,
    CancelRunRequest,
    CheckRunRequest,
    FinishRunRequest,
    GetRunRequest,
    ListMessagesRequest,
    ListRunsRequest,
    RetryingRequest,
    Run,
    RunStatus,
    SendMessageRequest,
    SendMessageResponse,
    UserMessage,
)
from actors.conversation.contract.thread import (
    GenerationConfig,
    GetStateRequest,
    InterruptPolicy,
    OpenRequest,
    OpenResponse,
    Settings,
    State,
    UpdateGenerationConfigRequest,
    UpdateSettingsRequest,
)
from actors.conversation.handlers.branches import Branches
from actors.conversation.handlers.compactions import Compactions
from actors.conversation.handlers.endings import Endings
from actors.conversation.handlers.forks import Forks
from actors.conversation.handlers.reads import Reads
from actors.conversation.handlers.reports import Reports
from actors.conversation.handlers.runs import Runs
from actors.conversation.handlers.threads import Threads
from actors.conversation.handlers.tools import Tools
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.settings import ConversationSettings
from actors.conversation.starting import Starting
from services.openrouter.limits import ModelFacts
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

KEY = "acme/alice/a%20thread"

# Read once: the environment is no part of these tests, and reading it takes longer than a turn.
_SETTINGS = ConversationSettings()


class KnownModels:
    """The models that exist; all of them when none is named."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def first_unknown(self, models: list[str]) -> str | None:
        """See `Models`."""
        return next((m for m in models if self._names and m not in self._names), None)

    def facts(self, model: str) -> ModelFacts | None:
        """See `Models`."""
        return None


class Places:
    """Places among the streams: there are some, or there are none."""

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self.asked: list[str] = []

    def admit(self, run_id: str) -> bool:
        """See `acceptance.Places`."""
        self.asked.append(run_id)
        return self.free


class Heard:
    """The hints that readers got; replays are silent as on the bus."""

    def __init__(self) -> None:
        self.hints: list[tuple[str, int]] = []

    def events(self, conversation: str, up_to: int) -> None:
        """See `Hints`."""
        if not restate_context_is_replaying.get():
            self.hints.append((conversation, up_to))


class Conversation:
    """One thread; `open` creates it.

    free: whether runs find a place among the streams at once, so that they start with the
        message; else they are started by `begin`.
    """

    def __init__(
        self,
        platform: FakePlatform,
        *,
        key: str = KEY,
        free: bool = True,
        models: Iterable[str] = (),
        listed: Models | None = None,
        settings: ConversationSettings | None = None,
    ) -> None:
        self.platform = platform
        self.key = key
        self.places = Places(free=free)
        self.heard = Heard()
        self.settings = settings or _SETTINGS
        accepting = Accepting(listed or KnownModels(*models), self.places)
        lifecycle = Lifecycle(self.settings, self.heard)
        starting = Starting(self.settings, accepting, lifecycle)
        platform.serve(
            contract.component,
            Threads(accepting),
            Runs(starting, lifecycle),
            Branches(starting, lifecycle),
            Forks(lifecycle),
            Endings(lifecycle),
            Reports(lifecycle),
            Tools(self.settings, lifecycle),
            Compactions(self.settings, accepting, lifecycle),
            Reads(),
        )

    async def open(
        self,
        name: str = "",
        *,
        settings: Settings | None = None,
        config: GenerationConfig | None = None,
    ) -> OpenResponse:
        """Create the thread."""
        request = OpenRequest(name=name, settings=settings, generation_config=config)
        return await self.platform.call(contract.open_thread, request, key=self.key)

    async def send(
        self,
        text: str = "hello",
        id: str = "",
        config: GenerationConfig | None = None,
        policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED,
    ) -> SendMessageResponse:
        """Say something."""
        request = SendMessageRequest(
            user_message=UserMessage(content=text),
            client_message_id=id,
            generation_config=config,
            interrupt_policy=policy,
        )
        return await self.platform.call(contract.send_message, request, key=self.key)

    async def update_settings(self, settings: Settings, *clear: str) -> Settings:
        """Change some settings; what they are then."""
        request = UpdateSettingsRequest(settings=settings, clear=list(clear))
        answer = await self.platform.call(contract.update_settings, request, key=self.key)
        return answer.settings

    async def update_config(self, config: GenerationConfig, *clear: str) -> GenerationConfig:
        """Change some of the config; what it is then."""
        request = UpdateGenerationConfigRequest(generation_config=config, clear=list(clear))
        answer = await self.platform.call(contract.update_generation_config, request, key=self.key)
        return answer.generation_config

    async def said(self) -> list[str]:
        """The contents of all messages that are part of the thread."""
        return [message.content for message in (await self.state()).messages]

    async def regenerate(
        self,
        message_id: str,
        policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED,
    ) -> BranchedResponse:
        """Let a message be answered anew."""
        request = RegenerateRequest(message_id=message_id, interrupt_policy=policy)
        return await self.platform.call(contract.regenerate, request, key=self.key)

    async def edit(
        self,
        message_id: str,
        text: str,
        id: str = "",
        policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED,
    ) -> BranchedResponse:
        """Say a message in other words."""
        request = EditMessageRequest(
            message_id=message_id,
            user_message=UserMessage(content=text),
            client_message_id=id,
            interrupt_policy=policy,
        )
        return await self.platform.call(contract.edit_message, request, key=self.key)

    async def choose(self, branch_id: str) -> Branch:
        """Go to another branch."""
        request = ChooseBranchRequest(branch_id=branch_id)
        return await self.platform.call(contract.choose_branch, request, key=self.key)

    async def branches(self) -> list[Branch]:
        """All branches, newest first."""
        request = ListBranchesRequest(page_size=200)
        answer = await self.platform.call(contract.list_branches, request, key=self.key)
        return answer.branches

    async def read(self, branch_id: str = "", *, size: int = 200) -> list[str]:
        """The contents of a branch's messages, read page by page from its beginning."""
        pages = await self.messages(size, oldest_first=True, branch_id=branch_id)
        return [message.content for page in pages for message in page]

    async def asked(self, run_id: str) -> list[str]:
        """What the model of a run is asked, oldest first."""
        work = dict(self.platform.sent(generation.run))[run_id].work
        work = work or (await self.begin(run_id)).work
        assert work is not None
        return [message.content for message in work.context]

    async def begin(self, run_id: str) -> BeginRunResponse:
        """The workflow has a place and asks for its work."""
        request = BeginRunRequest(run_id=run_id, at=self.platform.time)
        return await self.platform.call(contract.begin_run, request, key=self.key)

    async def retrying(self, run_id: str, attempt: int) -> None:
        """The workflow asks the model again."""
        request = RetryingRequest(run_id=run_id, attempt=attempt, at=self.platform.time)
        await self.platform.call(contract.report_retrying, request, key=self.key)

    async def finish(
        self,
        run_id: str,
        text: str = "answer",
        status: RunStatus = RunStatus.COMPLETED,
        *,
        attempt: int = 1,
        usage: Usage | None = None,
        cost: str = "",
        error: dict[str, Any] | None = None,
    ) -> None:
        """The workflow reports the end."""
        request = FinishRunRequest(
            run_id=run_id, attempt=attempt, status=status, at=self.platform.time, text=text,
            usage=usage, cost_usd=cost, error=error,
        )  # fmt: skip
        await self.platform.call(contract.finish_run, request, key=self.key)

    async def cancel(self, run_id: str) -> Run:
        """A client stops a run."""
        request = CancelRunRequest(run_id=run_id)
        return await self.platform.call(contract.cancel_run, request, key=self.key)

    async def check(self, cancelled_run_id: str = "") -> None:
        """The watchdog looks."""
        request = CheckRunRequest(cancelled_run_id=cancelled_run_id)
        await self.platform.call(contract.check_run, request, key=self.key)

    async def run(self, run_id: str) -> Run:
        """The record of a run."""
        request = GetRunRequest(run_id=run_id)
        return await self.platform.call(contract.get_run, request, key=self.key)

    async def runs(self) -> list[Run]:
        """All runs, newest first."""
        request = ListRunsRequest(page_size=200)
        return (await self.platform.call(contract.list_runs, request, key=self.key)).runs

    async def state(self) -> State:
        """The thread."""
        request = GetStateRequest(page_size=200)
        return await self.platform.call(contract.get_state, request, key=self.key)

    async def events(self, after: int = 0) -> list[Event]:
        """All events after a sequence."""
        found: list[Event] = []
        while True:
            request = ReadEventsRequest(after=found[-1].sequence if found else after, limit=200)
            read = await self.platform.call(contract.read_events, request, key=self.key)
            found += read.events
            if not read.events or read.events[-1].sequence == read.last_sequence:
                return found

    async def told(self) -> list[str]:
        """The types of all events."""
        return [event.type for event in await self.events()]

    async def messages(
        self, size: int, *, oldest_first: bool = False, branch_id: str = ""
    ) -> list[list[ChatMessage]]:
        """All messages, page by page."""
        pages: list[list[ChatMessage]] = []
        token = ""
        while True:
            request = ListMessagesRequest(
                page_size=size, page_token=token, oldest_first=oldest_first, branch_id=branch_id
            )
            page = await self.platform.call(contract.list_messages, request, key=self.key)
            pages.append(page.messages)
            token = page.next_page_token
            if not token:
                return pages

    @property
    def deadline(self) -> timedelta:
        """From a run's start to the moment from which it counts as lost."""
        return self.settings.run_deadline + self.settings.lost_grace
