"""The short way changes what a request costs and nothing that a client sees."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from app.edge_routes import SHORT_WAYS
from chassis.rpc import Effect, Rpc
from edge.short_way import chosen
from tests.support.stack import Answer, RunningStack, running_stack

pytestmark = pytest.mark.anyio

_ID = re.compile(r"\b(run|msg|thread|req)_[0-9A-Za-z]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_VARIES = {"requestId", "timeToFirstTokenMs", "generationId"}


@pytest.fixture(scope="module")
def long_stack() -> Iterator[RunningStack]:
    """A platform of this module alone: on a shared one others tell the model what to say."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def short_stack() -> Iterator[RunningStack]:
    """A platform with every short way switched on."""
    with running_stack(environment={"EDGE_SHORT_WAYS": '["*"]'}) as stack:
        yield stack


async def test_every_answer_is_the_same_both_ways(
    long_stack: RunningStack, short_stack: RunningStack
) -> None:
    assert await _story(long_stack) == await _story(short_stack)


@pytest.mark.parametrize("route", SHORT_WAYS, ids=lambda rpc: rpc.target)
def test_a_target_is_reachable_and_remembers_commands_as_the_gateway_does(
    route: Rpc[Any, Any],
) -> None:
    target = SHORT_WAYS[route].target
    assert target.edge_callable
    assert target.response is route.response
    if route.route is not None and route.route.effect is Effect.COMMAND:
        assert target.idempotency_retention >= route.idempotency_retention


def test_a_route_that_has_no_short_way_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="LLMGateway/CreateThread"):
        chosen(SHORT_WAYS, ("LLMGateway/CreateThread",))


async def _story(stack: RunningStack) -> list[Any]:
    """A conversation with its mistakes; each answer without what differs from run to run."""
    seen: list[Any] = []

    async def call(method: str, body: dict[str, Any], **headers: str) -> Answer:
        answer = await stack.call(f"llm/gateway/{method}", body, headers=headers)
        seen.append((method, answer.status, _settled(answer.body)))
        return answer

    key = {"conversation_key": "two ways/é"}
    said: dict[str, Any] = {**key, "user_message": {"role": "user", "content": "hello"}}
    await call("conversation-state", key)
    await call("send-message", said)
    await call("create-thread", {**key, "name": "Two ways"})
    first = await call("send-message", said, **{"idempotency-key": "one"})
    run = {**key, "run_id": first.body["runId"]}

    async def ended() -> bool:
        answer = await stack.call("llm/gateway/get-run", run)
        return answer.body["status"] == "COMPLETED"

    await stack.wait_until(ended)
    again = await call("send-message", said, **{"idempotency-key": "one"})
    assert again.body == first.body
    other = {**key, "user_message": {"content": "other"}}
    await call("send-message", other, **{"idempotency-key": "one"})
    await call("send-message", {**said, "generation_config": {"model": "no/such-model"}})
    await call("send-message", {**key, "user_message": {"content": 1}, "colour": "red"})
    for method in ("conversation-state", "list-messages", "list-runs"):
        await call(method, {**key, "page_size": 1})
        await call(method, {**key, "page_token": "x"})
    await call("get-run", run)
    await call("get-run", {**key, "run_id": "run_0"})
    await call("cancel-run", run)
    await call("list-threads", {"query": "two ways"})
    return seen


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {name: _settled(v) for name, v in items.items() if name not in _VARIES}
    if isinstance(value, list):
        return [_settled(each) for each in cast("list[Any]", value)]
    if isinstance(value, str):
        return _TIME.sub("<time>", _ID.sub(r"\1_<id>", value))
    return value
