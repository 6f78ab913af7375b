"""Contracts: what a declaration makes of itself."""

from datetime import timedelta

import pytest

from chassis.message import Message
from chassis.retries import LONG_RUNNING, REQUEST, SINGLETON
from chassis.rpc import ALL_MODES, Component, Effect, Kind
from chassis.serve import handlers_of, implements


class Nothing(Message):
    """Nothing."""


def public(base: str, name: str, effect: Effect = Effect.READ) -> str:
    """The path of a method."""
    component = Component("AnyGateway", Kind.GATEWAY, REQUEST, base=base)
    rpc = component.public(name, Nothing, Nothing, scope="a:b", effect=effect)
    assert rpc.route is not None
    return rpc.route.path


@pytest.mark.parametrize(
    ("base", "name", "path"),
    [
        ("/api/v1/llm/gateway/", "ConversationState", "/api/v1/llm/gateway/conversation-state"),
        ("/api/v1/mcp/", "McpCallTool", "/api/v1/mcp/mcp-call-tool"),
        ("/api/v1/", "ApiKeysCreate", "/api/v1/api-keys/create"),
        ("/api/v1/", "OrgsGet", "/api/v1/orgs/get"),
        ("/api/v1/notifications/", "ManageSend", "/api/v1/notifications/manage/send"),
        ("/api/v1/x/", "Manage", "/api/v1/x/manage"),
    ],
)
def test_a_path_is_the_name_in_kebab_case_below_the_base(base: str, name: str, path: str) -> None:
    assert public(base, name) == path


def test_a_public_method_is_open_to_every_credential_unless_it_says_otherwise() -> None:
    component = Component("AnyGateway", Kind.GATEWAY, REQUEST, base="/api/v1/x/")
    rpc = component.public("Do", Nothing, Nothing, scope="a:b", effect=Effect.COMMAND)
    assert rpc.route is not None
    assert rpc.route.modes == ALL_MODES
    assert not rpc.route.tenant_free
    assert component.rpcs == [rpc]
    assert rpc.target == "AnyGateway/Do"


def test_commands_are_remembered_for_a_day_and_reads_not_at_all() -> None:
    component = Component("AnyGateway", Kind.GATEWAY, REQUEST, base="/api/v1/x/")
    read = component.public("Read", Nothing, Nothing, scope="a:b", effect=Effect.READ)
    command = component.public("Do", Nothing, Nothing, scope="a:b", effect=Effect.COMMAND)
    assert read.idempotency_retention == timedelta(0)
    assert command.idempotency_retention == timedelta(days=1)
    assert read.journal_retention == command.journal_retention == timedelta(0)


@pytest.mark.parametrize(
    ("name", "python_name"),
    [("ListThreads", "list_threads"), ("Open", "open"), ("GetV2", "get_v2")],
)
def test_a_method_is_implemented_under_its_name_in_snake_case(name: str, python_name: str) -> None:
    rpc = Component("AnyService", Kind.SERVICE, REQUEST).rpc(name, Nothing, Nothing)
    assert rpc.python_name == python_name


def test_handlers_are_found_in_the_order_of_their_class() -> None:
    component = Component("AnyService", Kind.SERVICE, REQUEST)
    one = component.rpc("First", Nothing, Nothing)
    other = component.rpc("Second", Nothing, Nothing)

    class Handlers:
        @implements(other)
        async def second(self, ctx: object, request: Nothing) -> Nothing:
            """What the public reads."""
            return request

        async def helper(self) -> None:
            """Not a handler."""

        @implements(one)
        async def first(self, ctx: object, request: Nothing) -> Nothing:
            return request

    found = handlers_of(Handlers())
    assert [handler.rpc for handler in found] == [other, one]
    assert [handler.description for handler in found] == ["What the public reads.", ""]


def test_only_work_that_an_operator_can_take_up_is_paused() -> None:
    """A paused call of a singleton would block its key for ever, and nobody resumes a request."""
    assert REQUEST.on_max_attempts == "kill"
    assert SINGLETON.on_max_attempts == "kill"
    assert LONG_RUNNING.on_max_attempts == "pause"
    for policy in (REQUEST, SINGLETON, LONG_RUNNING):
        assert timedelta(0) < policy.initial_interval <= policy.max_interval
        assert policy.max_attempts > 1
