"""The gateway: the caller's own things only, and one call down that anybody else may make."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation import contract as conversation
from actors.conversation.contract.run import RunStatus, SendMessageResponse
from actors.conversation.contract.thread import OpenRequest, OpenResponse
from actors.conversation_manager import contract as manager
from actors.conversation_manager.contract import ListRequest, RegisterRequest, RegisterResponse
from chassis.calls import Call
from chassis.identity import Caller, key_segments
from chassis.message import Message
from chassis.rpc import Mode, Rpc
from errors import Code, RpcError
from gateways.llm import contract, targets
from gateways.llm.contract import CreateThreadRequest, PublicSendMessageRequest
from gateways.llm.handlers.messages import MessagesGateway
from gateways.llm.handlers.threads import ThreadsGateway
from services.openrouter import contract as openrouter
from services.openrouter.contract import ListModelsRequest, ListModelsResponse, Model
from tests.support.crashes import survives_every_crash
from tests.support.fake_effects import START
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

ALICE = Caller("acme", "alice", Mode.SECRET_KEY, frozenset())
KEY = "a/b c 🫖"

# Each method that is "check, then one call down": a request for it, and where it goes.
CALLS: dict[Rpc[Any, Any], tuple[dict[str, Any], Callable[[Caller, Any], Call[Any, Any]]]] = {
    contract.list_threads: (
        {"pageSize": 5, "query": "x", "pageToken": "1.2", "archived": True},
        targets.list_threads,
    ),
    contract.update_settings: (
        {
            "conversationKey": KEY,
            "settings": {"systemPrompt": "p", "interruptPolicy": "REJECT"},
            "clear": ["keepLast"],
        },
        targets.update_settings,
    ),
    contract.update_generation_config: (
        {"conversationKey": KEY, "generationConfig": {"topP": 0.5}, "clear": ["max_tokens"]},
        targets.update_generation_config,
    ),
    contract.send_message: (
        {
            "conversationKey": KEY,
            "userMessage": {"parts": [{"text": "hi"}, {"imageUrl": "https://a/b"}]},
            "clientMessageId": "id",
            "generationConfig": {"model": "m", "temperature": 0},
            "interruptPolicy": "ROLLBACK",
        },
        targets.send_message,
    ),
    contract.conversation_state: (
        {"conversationKey": KEY, "pageSize": 3, "pageToken": "9"},
        targets.conversation_state,
    ),
    contract.list_messages: (
        {
            "conversationKey": KEY,
            "pageSize": 3,
            "pageToken": "9",
            "oldestFirst": True,
            "branchId": "branch-1",
        },
        targets.list_messages,
    ),
    contract.regenerate: (
        {
            "conversationKey": KEY,
            "messageId": "msg_1",
            "generationConfig": {"model": "m"},
            "interruptPolicy": "REJECT",
        },
        targets.regenerate,
    ),
    contract.edit_message: (
        {
            "conversationKey": KEY,
            "messageId": "msg_1",
            "userMessage": {"parts": [{"text": "hi"}]},
            "clientMessageId": "id",
            "generationConfig": {"model": "m"},
            "interruptPolicy": "INTERRUPT",
        },
        targets.edit_message,
    ),
    contract.choose_branch: (
        {"conversationKey": KEY, "branchId": "branch-1"},
        targets.choose_branch,
    ),
    contract.list_branches: (
        {"conversationKey": KEY, "pageSize": 3, "pageToken": "9"},
        targets.list_branches,
    ),
    contract.get_run: ({"conversationKey": KEY, "runId": "run_1"}, targets.get_run),
    contract.list_runs: (
        {"conversationKey": KEY, "pageSize": 3, "pageToken": "9"},
        targets.list_runs,
    ),
    contract.cancel_run: ({"conversationKey": KEY, "runId": "run_1"}, targets.cancel_run),
}

each_call = pytest.mark.parametrize("rpc", CALLS, ids=lambda rpc: rpc.name)


def asked(rpc: Rpc[Any, Any]) -> Message:
    """The request for a method."""
    body, _ = CALLS[rpc]
    return rpc.request.model_validate(body)


@each_call
async def test_a_method_makes_the_call_that_its_target_says(rpc: Rpc[Any, Any]) -> None:
    request, (_, target) = asked(rpc), CALLS[rpc]
    expected = target(ALICE, request)
    made: list[tuple[Message, str]] = []

    def answer(below: Message, key: str) -> Message:
        made.append((below, key))
        return expected.rpc.response.model_validate(_ANSWERS.get(expected.rpc.name, {}))

    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        platform.stub(expected.rpc, answer)
        got = await platform.call(rpc, request, caller=ALICE)
    assert made == [(expected.request, expected.key)]
    assert got == expected.rpc.response.model_validate(_ANSWERS.get(expected.rpc.name, {}))
    assert expected.rpc.response is rpc.response


_ANSWERS: dict[str, dict[str, Any]] = {
    "GetState": {"createdAt": "2026-01-02T03:04:05Z"},
    "UpdateSettings": {"settings": {}},
    "UpdateGenerationConfig": {"generationConfig": {}},
}


@each_call
async def test_an_error_from_below_comes_out_unchanged(rpc: Rpc[Any, Any]) -> None:
    request = asked(rpc)
    error = RpcError(Code.NOT_FOUND, "a.b", "No.", is_terminal=False)

    def refuse(below: Message, key: str) -> Message:
        raise error

    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        platform.stub(CALLS[rpc][1](ALICE, request).rpc, refuse)
        with pytest.raises(RpcError) as refused:
            await platform.call(rpc, request, caller=ALICE)
    assert refused.value == error


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@each_call
@given(tenant=names, user=names, other=names)
@settings(max_examples=20)
def test_a_target_is_the_callers_own(
    rpc: Rpc[Any, Any], tenant: str, user: str, other: str
) -> None:
    """Two users with the same conversation_key never meet."""
    target = CALLS[rpc][1]
    mine = target(Caller(tenant, user, Mode.FIREBASE, frozenset()), asked(rpc))
    assert mine.key is not None
    assert key_segments(mine.key)[:2] == [tenant, user]
    theirs = target(Caller(tenant, other, Mode.FIREBASE, frozenset()), asked(rpc))
    assert (mine.key == theirs.key) == (user == other)


def test_every_method_that_needs_a_handler_is_tested_here() -> None:
    served = {rpc for rpc in contract.component.rpcs if rpc.route and not rpc.route.served_by_edge}
    # Those about tools stand in a class of their own, and so do their tests.
    served = {rpc for rpc in served if not rpc.name.startswith("Mcp")}
    served -= {contract.resolve_tool_approval, contract.get_tool_result}
    apart = {
        contract.create_thread,
        contract.update_thread,
        contract.delete_thread,
        contract.fork_thread,
        contract.compact_conversation,
        contract.list_models,
    }
    assert served == {*CALLS, *apart}


class Below:
    """The two actors that make a thread."""

    def __init__(self, platform: FakePlatform) -> None:
        self.opened: list[tuple[OpenRequest, str]] = []
        self.registered: list[tuple[RegisterRequest, str]] = []
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        platform.stub(conversation.open_thread, self._open)
        platform.stub(manager.register, self._register)

    def _open(self, request: OpenRequest, key: str) -> OpenResponse:
        self.opened.append((request, key))
        return OpenResponse(name=request.name, created_at=START)

    def _register(self, request: RegisterRequest, key: str) -> RegisterResponse:
        self.registered.append((request, key))
        return RegisterResponse()


async def test_a_thread_is_opened_then_listed() -> None:
    async with FakePlatform() as platform:
        below = Below(platform)
        request = CreateThreadRequest(conversation_key=KEY, name="mine", metadata={"a": "b"})
        created = await platform.call(contract.create_thread, request, caller=ALICE)
        assert (created.conversation_key, created.name) == (KEY, "mine")
        assert created.created_at == START
        assert below.opened == [(OpenRequest(name="mine", metadata={"a": "b"}), ALICE.key(KEY))]
        [(registered, key)] = below.registered
        assert key == "acme/alice"
        assert (registered.thread.conversation_key, registered.thread.name) == (KEY, "mine")
        assert registered.thread.created_at == START


async def test_a_thread_without_a_key_gets_one_of_its_own() -> None:
    async with FakePlatform(suspends=True) as platform:
        below = Below(platform)
        made = [
            await platform.call(contract.create_thread, CreateThreadRequest(), caller=ALICE)
            for _ in range(2)
        ]
        keys = [created.conversation_key for created in made]
        assert len(set(keys)) == 2
        assert all(key.startswith("thread_") for key in keys)
        assert [key for _, key in below.opened] == [ALICE.key(key) for key in keys]


async def test_a_thread_that_cannot_be_opened_is_not_listed() -> None:
    def refuse(request: OpenRequest, key: str) -> OpenResponse:
        raise conversation.THREAD_EXISTS.error()

    async with FakePlatform() as platform:
        below = Below(platform)
        platform.stub(conversation.open_thread, refuse)
        with pytest.raises(RpcError) as refused:
            await platform.call(
                contract.create_thread, CreateThreadRequest(conversation_key="x"), caller=ALICE
            )
        assert refused.value.reason == conversation.THREAD_EXISTS.word
        assert below.registered == []


async def test_creating_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        Below(platform)
        return await platform.call(contract.create_thread, CreateThreadRequest(), caller=ALICE)

    assert await survives_every_crash(story) >= 5


async def test_models_come_from_their_owner() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        listed = ListModelsResponse(models=[Model(id="a/b")])
        platform.stub(openrouter.list_models, lambda request, key: listed)
        assert (
            await platform.call(contract.list_models, ListModelsRequest(), caller=ALICE) == listed
        )


async def test_a_call_that_did_not_come_through_the_edge_is_no_callers() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, ThreadsGateway(), MessagesGateway())
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.list_threads, ListRequest())
        assert refused.value.code is Code.INTERNAL


def violations(rpc: Rpc[Any, Any], body: bytes) -> list[str]:
    """The fields that a public request is refused for."""
    try:
        rpc.request.from_public_json(body)
    except RpcError as refused:
        return [violation.field for violation in refused.details.field_violations]
    return []


@pytest.mark.parametrize("key", ["a", "a/b", "%2F", " ", "🫖" * 64, "ü", "a" * 256, ".", "\u00a0"])
def test_any_name_of_256_bytes_may_be_a_key(key: str) -> None:
    body = CreateThreadRequest.model_construct(conversation_key=key).to_json()
    assert violations(contract.create_thread, body) == []
    assert violations(contract.conversation_state, body) == []


@pytest.mark.parametrize("key", ["a" * 257, "🫖" * 65, "a\nb", "\x00", "\x7f", "u\u0308"])
def test_a_key_that_would_be_a_trap_is_refused(key: str) -> None:
    body = CreateThreadRequest.model_construct(conversation_key=key).to_json()
    for rpc in (contract.create_thread, contract.conversation_state, contract.stream_events):
        assert violations(rpc, body) == ["conversationKey"]


@pytest.mark.parametrize(
    "message",
    [
        b"{}",
        b'{"content":"a","parts":[{"text":"b"}]}',
        b'{"role":"assistant","content":"a"}',
        b'{"role":"system","content":"a"}',
    ],
)
def test_a_message_is_the_users_and_says_one_thing(message: bytes) -> None:
    body = b'{"conversationKey":"x","userMessage":' + message + b"}"
    assert violations(contract.send_message, body) == ["userMessage"]


@pytest.mark.parametrize(
    "part", [b"{}", b'{"text":""}', b'{"text":"look","imageUrl":"https://a/b.png"}']
)
def test_a_part_is_one_thing(part: bytes) -> None:
    parts = b'{"parts":[{"text":"first"},' + part + b"]}"
    body = b'{"conversationKey":"x","userMessage":' + parts + b"}"
    assert violations(contract.send_message, body) == ["userMessage.parts[1]"]
    for rpc in (contract.complete, contract.stream_complete):
        body = b'{"messages":[' + parts + b"]}"
        assert violations(rpc, body) == ["messages[0].parts[1]"]


def test_a_message_may_be_text_or_parts() -> None:
    for message in (b'{"content":"a"}', b'{"role":"user","parts":[{"text":"b"}]}'):
        body = b'{"conversationKey":"x","userMessage":' + message + b"}"
        assert violations(contract.send_message, body) == []
        request = PublicSendMessageRequest.from_public_json(body)
        call = targets.send_message(ALICE, request)
        assert call.request.user_message.content == request.user_message.content
        assert call.request.user_message.parts == request.user_message.parts
    assert SendMessageResponse(status=RunStatus.QUEUED).to_dict() == {"status": "QUEUED"}


def test_what_is_cleared_is_named_in_either_spelling_and_nothing_else_is_taken() -> None:
    body = b'{"conversationKey":"x","clear":["keepLast","keep_last","systemPrompt"]}'
    request = contract.PublicUpdateSettingsRequest.from_public_json(body)
    assert request.clear == ["keep_last", "keep_last", "system_prompt"]
    body = b'{"conversationKey":"x","clear":["keepLast","model"]}'
    assert violations(contract.update_settings, body) == ["clear[1]"]
    assert violations(contract.update_generation_config, body) == ["clear[0]"]
