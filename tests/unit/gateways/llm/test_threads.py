"""Methods of several calls: updating, deleting and copying a thread, whatever stops in between."""

from typing import Any, cast

import pytest

from actors.conversation import contract as conversation
from actors.conversation.contract.compaction import CompactRequest, CompactResponse
from actors.conversation.contract.ending import CloseResponse, EraseResponse
from actors.conversation.contract.entry import ChatMessage, Compaction
from actors.conversation.contract.fork import (
    Exported,
    ExportRequest,
    ExportResponse,
    ImportRequest,
    ImportResponse,
)
from actors.conversation.contract.thread import (
    ForkOrigin,
    OpenRequest,
    OpenResponse,
    UpdateRequest,
    UpdateResponse,
)
from actors.conversation_manager import contract as manager
from actors.conversation_manager.contract import RegisterResponse, RemoveResponse, Thread
from actors.conversation_manager.contract import UpdateResponse as Shown
from chassis.identity import Caller
from chassis.message import Message
from chassis.rpc import Mode, Rpc
from errors import Reason, RpcError
from gateways.llm import contract
from gateways.llm.contract import (
    CompactConversationRequest,
    DeleteThreadRequest,
    ForkThreadRequest,
    PublicUpdateThreadRequest,
)
from gateways.llm.handlers.messages import MessagesGateway
from gateways.llm.handlers.threads import ThreadsGateway
from services.erasure import contract as erasure
from services.erasure.contract import PurgeRequest, PurgeResponse
from tests.support.crashes import survives_every_crash
from tests.support.fake_effects import START
from tests.support.fake_platform import FakePlatform
from workflows.compaction import contract as compaction
from workflows.compaction.contract import OutcomeRequest, OutcomeResponse

pytestmark = pytest.mark.anyio

ALICE = Caller("acme", "alice", Mode.SECRET_KEY, frozenset())
THREAD, COPY = "acme/alice/one", "acme/alice/copy"


class Below:
    """What lies below the gateway: every call that came, and an answer for each."""

    def __init__(self, platform: FakePlatform, **answers: Any) -> None:
        self.calls: list[tuple[str, str, Message]] = []
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        for rpc, answer in (
            (conversation.update, UpdateResponse(name="new", created_at=START, revision=3)),
            (manager.update, Shown()),
            (conversation.close, CloseResponse(stopped_run_ids=["run_1"])),
            (manager.remove, RemoveResponse()),
            (erasure.purge, PurgeResponse(purged=4, reminders=1)),
            (conversation.erase, EraseResponse(messages=2, runs=1, events=5)),
            (conversation.export, ExportResponse(done=True, name="name")),
            (conversation.open_thread, OpenResponse(created_at=START)),
            (conversation.import_page, ImportResponse(done=True)),
            (manager.register, RegisterResponse()),
        ):
            self._stub(platform, rpc, answers.get(rpc.python_name, answer))

    def _stub(self, platform: FakePlatform, rpc: Rpc[Any, Any], answer: Any) -> None:
        def respond(request: Message, key: str) -> Message:
            self.calls.append((rpc.target, key, request))
            return cast("Message", answer(request) if callable(answer) else answer)

        platform.stub(rpc, respond)

    @property
    def order(self) -> list[str]:
        """The methods that were called."""
        return [target for target, _, _ in self.calls]


async def test_an_update_is_shown_in_the_list_as_the_thread_has_it() -> None:
    async with FakePlatform() as platform:
        below = Below(platform)
        request = PublicUpdateThreadRequest(
            conversation_key="one", name="new", archived=True, metadata={"a": "b"}, clear=["name"]
        )
        updated = await platform.call(contract.update_thread, request, caller=ALICE)
        assert (updated.conversation_key, updated.name) == ("one", "new")
        (_, key, asked), (_, user, shown) = below.calls
        assert (key, user) == (THREAD, "acme/alice")
        assert asked == UpdateRequest(
            name="new", archived=True, metadata={"a": "b"}, clear=["name"]
        )
        thread = Thread(conversation_key="one", name="new")
        assert shown == manager.UpdateRequest(thread=thread, revision=3)


async def test_a_thread_is_closed_and_unlisted_before_anything_is_erased() -> None:
    async with FakePlatform() as platform:
        below = Below(platform)
        request = DeleteThreadRequest(conversation_key="one")
        receipt = await platform.call(contract.delete_thread, request, caller=ALICE)
        assert below.order == [
            "ConversationActor/Close",
            "ConversationManagerActor/Remove",
            "ErasureService/Purge",
            "ConversationActor/Erase",
        ]
        assert below.calls[2][2] == PurgeRequest(component="ConversationActor", key=THREAD)
        assert receipt == contract.DeleteThreadResponse(
            conversation_key="one",
            stopped_run_ids=["run_1"],
            erased_messages=2,
            erased_runs=1,
            erased_events=5,
            erased_invocations=4,
            stopped_timers=1,
        )


async def test_a_deletion_that_stopped_halfway_is_finished_by_a_repeat() -> None:
    tries: list[int] = []

    def purge(request: PurgeRequest) -> PurgeResponse:
        tries.append(1)
        if len(tries) == 1:
            raise erasure.UNREACHABLE.error()
        return PurgeResponse()

    async with FakePlatform() as platform:
        below = Below(platform, purge=purge)
        request = DeleteThreadRequest(conversation_key="one")
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.delete_thread, request, caller=ALICE)
        assert not refused.value.is_terminal
        assert "ConversationActor/Erase" not in below.order
        await platform.call(contract.delete_thread, request, caller=ALICE)
        assert below.order[-1] == "ConversationActor/Erase"


def page(number: int, *, done: bool = False) -> ExportResponse:
    """A page of one message."""
    message = ChatMessage(message_id=f"msg_{number}", created_at=START)
    return ExportResponse(
        messages=[Exported(message=message)], after=number * 10, done=done, name="name"
    )


class Source:
    """A thread of three pages, and a copy that takes them in."""

    def __init__(self, copied: int = 0) -> None:
        self.copied = copied
        self.taken: list[str] = []

    def export(self, request: ExportRequest) -> ExportResponse:
        number = request.after // 10 + 1
        return page(number, done=number == 3)

    def open(self, request: OpenRequest) -> OpenResponse:
        return OpenResponse(created_at=START, copying=self.copied < 30, copied=self.copied)

    def take(self, request: ImportRequest) -> ImportResponse:
        assert request.since == self.copied
        self.copied = request.page.after
        self.taken += [exported.message.message_id for exported in request.page.messages]
        return ImportResponse(after=self.copied, done=request.page.done)


@pytest.mark.parametrize("copied", [0, 10, 20, 30])
async def test_a_copy_takes_page_after_page_from_where_it_is(copied: int) -> None:
    async with FakePlatform() as platform:
        source = Source(copied)
        below = Below(platform, export=source.export, open=source.open, import_page=source.take)
        request = ForkThreadRequest(
            conversation_key="one", message_id="msg_9", new_conversation_key="copy", name="mine"
        )
        forked = await platform.call(contract.fork_thread, request, caller=ALICE)
        assert (forked.conversation_key, forked.name) == ("copy", "mine")
        assert source.taken == [f"msg_{n}" for n in range(copied // 10 + 1, 4)]
        opened = next(request for _, key, request in below.calls if key == COPY)
        assert isinstance(opened, OpenRequest)
        assert opened.fork == ForkOrigin(conversation_key="one", message_id="msg_9")
        assert below.order[-1] == "ConversationManagerActor/Register"


async def test_a_copy_without_a_name_or_a_key_gets_them() -> None:
    async with FakePlatform() as platform:
        Below(platform)
        request = ForkThreadRequest(conversation_key="one")
        forked = await platform.call(contract.fork_thread, request, caller=ALICE)
        assert forked.conversation_key.startswith("thread_")
        assert forked.name == "name"


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        (contract.update_thread, PublicUpdateThreadRequest(conversation_key="one")),
        (contract.delete_thread, DeleteThreadRequest(conversation_key="one")),
    ],
    ids=["update", "delete"],
)
async def test_they_survive_a_crash_at_every_moment(rpc: Rpc[Any, Any], request_: Message) -> None:
    async def story(platform: FakePlatform) -> object:
        Below(platform)
        return await platform.call(rpc, request_, caller=ALICE)

    assert await survives_every_crash(story) >= 3


async def test_compacting_waits_for_the_workflow_that_the_thread_has_started() -> None:
    done = Compaction(compaction_id="cmp_1", messages_summarized=7, tokens_saved=100)
    waited: list[str] = []

    def outcome(request: OutcomeRequest, key: str) -> OutcomeResponse:
        waited.append(key)
        return OutcomeResponse(compaction=done)

    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        started = CompactResponse(compaction_id="cmp_1")
        platform.stub(conversation.compact, lambda request, key: started)
        platform.stub(compaction.outcome, outcome)
        request = CompactConversationRequest(conversation_key="one")
        answer = await platform.call(contract.compact_conversation, request, caller=ALICE)
    assert (answer.conversation_key, answer.compaction) == ("one", done)
    assert waited == ["cmp_1"]


@pytest.mark.parametrize(
    "reason", [conversation.COMPACTION_RUNNING, conversation.NOTHING_TO_COMPACT]
)
async def test_a_thread_that_is_not_compacted_says_why_and_nobody_waits(reason: Reason) -> None:
    def refuse(request: CompactRequest, key: str) -> CompactResponse:
        raise reason.error()

    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        platform.stub(conversation.compact, refuse)
        request = CompactConversationRequest(conversation_key="one")
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.compact_conversation, request, caller=ALICE)
    assert refused.value.reason == reason.word
