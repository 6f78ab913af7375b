"""Turns in which the model calls tools, on the real server and with replay forced at every step."""

import uuid
from collections.abc import AsyncIterator

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, ToolCall
from devstack.processes import free_port
from devstack.toolbox.control import ToolboxControl
from tests.support.conversation import RefusedError, User, types_of
from tests.support.stack import RunningStack
from tests.support.tools import (
    ALLOWED,
    FREELY,
    pending,
    register,
    resolve,
    thread_with,
    tool_events,
    toolbox_of,
    wants,
)

pytestmark = pytest.mark.anyio

DONE = Answer(text="All done.")


@pytest.fixture
async def toolbox(stack: RunningStack) -> AsyncIterator[ToolboxControl]:
    async with toolbox_of(stack) as toolbox:
        yield toolbox


def about(text: str) -> str:
    """A question that no other test asks."""
    return f"{text} {uuid.uuid4().hex}"


async def test_the_model_reads_what_a_tool_answered_and_goes_on(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("add")
    await model.script(wants(("add", {"a": 20, "b": 22}), text="Let me see."), DONE,
                       contains=question)  # fmt: skip
    thread = await thread_with(alice)
    run = await thread.ask(question)
    assert run["status"] == "COMPLETED"
    assert run["attempts"] == 2
    events = await thread.events()
    assert types_of(events) == [
        "message.created",
        "run.started",
        "message.completed",
        "tool.requested",
        "tool.completed",
        "message.completed",
        "run.completed",
    ]
    (call,) = tool_events(events, "tool.completed")
    assert (call["serverName"], call["toolName"]) == ("toolbox", "add")
    assert (call["status"], call["effect"]) == ("SUCCEEDED", "READ")
    assert call["arguments"] == {"a": 20, "b": 22}
    assert await thread.said() == [
        ("user", question),
        ("assistant", "Let me see."),
        ("tool", '{"sum": 42}'),
        ("assistant", "All done."),
    ]
    asked = [c for c in await model.calls() if c.messages and question in str(c.messages)]
    assert "toolbox__add" in {tool["function"]["name"] for tool in asked[0].body["tools"]}
    assert [message["role"] for message in asked[1].messages] == ["user", "assistant", "tool"]
    assert asked[1].messages[2]["content"] == '{"sum": 42}'
    usage = [int(run["usage"][name]) for name in ("promptTokens", "completionTokens")]
    assert usage[0] > 0
    assert len(await toolbox.calls("add")) == 1


async def test_the_next_turn_shows_the_model_the_calls_of_the_last(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    first, second = about("first"), about("second")
    await model.script(wants(("weather", {"city": "Lisbon"})), DONE, contains=first)
    thread = await thread_with(alice)
    await thread.ask(first)
    await thread.ask(second)
    (asked,) = [c for c in await model.calls() if c.messages[-1]["content"] == second]
    roles = [message["role"] for message in asked.messages]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert asked.messages[1]["tool_calls"][0]["id"] == asked.messages[2]["tool_call_id"]


async def test_sixteen_calls_of_one_answer_are_made_side_by_side(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("many")
    calls = [("wait", {"gate": "all"})] * 16
    await model.script(wants(*calls), DONE, contains=question)
    thread = await thread_with(alice)
    run_id = await thread.send(question)
    await toolbox.wait("wait", 16)
    await toolbox.release("all")
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    ended = tool_events(await thread.events(), "tool.completed")
    assert len(ended) == 16
    assert {call["status"] for call in ended} == {"SUCCEEDED"}
    assert len({call["callId"] for call in ended}) == 16


async def test_what_goes_wrong_with_a_call_is_told_to_the_model_and_the_run_goes_on(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("wrong")
    asked = wants(("fail", {"message": "out of paper"}), ("add", {"a": "x", "b": 1}))
    asked.tool_calls += [
        ToolCall(name="no_such_tool"),
        ToolCall(name="toolbox__add", arguments="{not json"),
    ]
    await model.script(asked, DONE, contains=question)
    thread = await thread_with(alice)
    assert (await thread.ask(question))["status"] == "COMPLETED"
    ended = {event["message"]["content"]: event["toolCall"]["status"]
             for event in await thread.events() if event["type"] == "tool.completed"}  # fmt: skip
    assert set(ended.values()) == {"FAILED"}
    assert "out of paper" in ended
    assert len(ended) == 4
    assert len(await toolbox.calls("add")) == 0


async def test_a_tool_that_changed_its_schema_since_it_was_listed_tells_the_model(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    """The model was shown a schema that the tool no longer has."""
    question = about("changed")
    loose = {"type": "object", "properties": {"sum_of": {"type": "array"}}}
    await toolbox.set_schemas({"add": loose})
    await model.script(wants(("add", {"sum_of": [1, 2]})), DONE, contains=question)
    thread = await thread_with(alice)
    assert (await thread.ask(question))["status"] == "COMPLETED"
    (call,) = tool_events(await thread.events(), "tool.completed")
    assert call["status"] == "FAILED"


CHANGED = {"type": "object", "properties": {"text": {"type": "string"}}, "title": "Obey."}


async def confirmed(stack: RunningStack, user: User, *names: str) -> None:
    """Register the toolbox with these tools as they are now."""
    tools = (await user.call("mcp-list-tools", {"serverName": "toolbox"}))["tools"]
    rules = [{"toolName": t["name"], "digest": t["digest"]} for t in tools if t["name"] in names]
    await register(stack, toolRules=rules)


async def test_a_confirmed_tool_that_changes_between_list_and_call_is_not_called(
    stack: RunningStack, alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    """The person approved a call of another tool than the one that would be called."""
    await confirmed(stack, alice, "note")
    question = about("rug")
    await model.script(wants(("note", {"text": "x"})), DONE, contains=question)
    thread = await thread_with(alice)
    run_id = await thread.send(question)
    (approval,) = await pending(thread)
    await toolbox.set_schemas({"note": CHANGED})
    await resolve(thread, approval, "APPROVE")
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    (call,) = tool_events(await thread.events(), "tool.completed")
    assert (call["status"], call["error"]["details"]["reason"]) == ("FAILED", "tool.changed")
    assert await toolbox.calls("note") == []


async def test_a_tool_that_changed_is_marked_and_kept_from_all_until_it_is_confirmed(
    stack: RunningStack, alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    await confirmed(stack, alice, "note", "add")
    await toolbox.set_schemas({"note": CHANGED})
    listed = await alice.call("mcp-list-tools", {"serverName": "toolbox"})
    problems = {tool["name"]: tool.get("problem", "") for tool in listed["tools"]}
    assert "confirmed" in problems["note"]
    assert problems["add"] == ""
    question = about("next")
    await (await thread_with(alice)).ask(question)
    (asked,) = [c for c in await model.calls() if c.messages[-1]["content"] == question]
    names = {tool["function"]["name"] for tool in asked.body["tools"]}
    assert "toolbox__note" not in names
    assert "toolbox__add" in names
    body = {"serverName": "toolbox", "toolName": "note", "arguments": {"text": "y"}}
    with pytest.raises(RefusedError) as refused:
        await alice.call("mcp-call-tool", body)
    assert (refused.value.status, refused.value.reason) == (400, "tool.changed")
    await confirmed(stack, alice, "note")
    assert (await alice.call("mcp-call-tool", body))["status"] == "SUCCEEDED"


async def test_a_tool_without_a_json_schema_is_not_offered(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("broken")
    await toolbox.set_schemas({"add": {"type": "object", "properties": {"a": {"type": "no"}}}})
    thread = await thread_with(alice)
    await thread.ask(question)
    (asked,) = [c for c in await model.calls() if c.messages[-1]["content"] == question]
    names = {tool["function"]["name"] for tool in asked.body["tools"]}
    assert "toolbox__add" not in names
    assert "toolbox__weather" in names


async def test_a_thread_offers_the_tools_that_it_allows_and_no_others(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    some, none = about("some"), about("none")
    await (await thread_with(alice, {"allowed": ["toolbox/add", "toolbox/note"]})).ask(some)
    await (await alice.create()).ask(none)
    calls = {c.messages[-1]["content"]: c for c in await model.calls()}
    names = [tool["function"]["name"] for tool in calls[some].body["tools"]]
    assert names == ["toolbox__add", "toolbox__note"]
    assert "tools" not in calls[none].body


async def test_a_server_that_is_down_costs_its_tools_and_not_the_answer(
    alice: User, model: OpenRouterControl, stack: RunningStack, toolbox: ToolboxControl
) -> None:
    question = about("down")
    url = f"http://127.0.0.1:{free_port()}/mcp"
    await register(stack, serverName="dead", url=url, toolRules=[])
    thread = await thread_with(alice, {"allowed": ["dead"]})
    run = await thread.ask(question)
    assert run["status"] == "COMPLETED"
    mixed = about("mixed")
    await (await thread_with(alice, {"allowed": ["*"]})).ask(mixed)
    (asked,) = [c for c in await model.calls() if c.messages[-1]["content"] == mixed]
    assert "toolbox__add" in {tool["function"]["name"] for tool in asked.body["tools"]}


async def test_a_result_too_large_for_the_context_is_kept_by_reference(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("large")
    await model.script(wants(("produce", {"bytes": 200_000})), DONE, contains=question)
    thread = await thread_with(alice)
    assert (await thread.ask(question))["status"] == "COMPLETED"
    (event,) = [e for e in await thread.events() if e["type"] == "tool.completed"]
    assert len(event["message"]["content"]) < 20_000
    assert event["toolCall"]["resultBytes"] == 200_000
    whole = await thread.call("get-tool-result", resultId=event["toolCall"]["resultId"])
    assert whole["result"]["content"][0]["text"] == "x" * 200_000


async def test_a_tool_that_returns_50_mb_fails_and_the_run_goes_on(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("huge")
    await model.script(wants(("produce", {"bytes": 50_000_000})), DONE, contains=question)
    thread = await thread_with(alice)
    assert (await thread.ask(question))["status"] == "COMPLETED"
    (call,) = tool_events(await thread.events(), "tool.completed")
    assert call["error"]["details"]["reason"] == "mcp_server.answer_too_large"


async def test_a_model_that_never_stops_asking_is_stopped(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("again")
    await model.script(wants(("add", {"a": 1, "b": 1})), contains=question, repeat_last=True)
    thread = await thread_with(alice, ALLOWED | {"maxRounds": 3})
    run = await thread.ask(question)
    assert (run["status"], run["error"]["details"]["reason"]) == (
        "FAILED",
        "run.tool_rounds_spent",
    )
    assert len(await toolbox.calls("add")) == 3 or len(await toolbox.calls("add")) == 4


async def test_a_dangerous_tool_that_may_be_called_freely_is_called_once(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("note")
    await model.script(wants(("note", {"text": question})), DONE, contains=question)
    thread = await thread_with(alice, FREELY)
    await thread.ask(question)
    (call,) = tool_events(await thread.events(), "tool.completed")
    assert (call["status"], call["effect"]) == ("SUCCEEDED", "DANGEROUS")
    assert len(await toolbox.calls("note")) == 1


@pytest.mark.live_only
async def test_a_run_is_cancelled_while_it_calls_a_tool(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = about("cancel")
    calls = wants(("wait", {"gate": "never"}), ("wait-and-note", {"gate": "never", "text": "x"}))
    await model.script(calls, DONE, contains=question)
    thread = await thread_with(alice, FREELY)
    run_id = await thread.send(question)
    await toolbox.wait("wait")
    await toolbox.wait("wait-and-note")
    await thread.cancel(run_id)
    run = await thread.settled(run_id)
    assert run["status"] == "CANCELLED"
    ended = tool_events(await thread.events(), "tool.completed")
    assert {call["status"] for call in ended} == {"UNKNOWN"}
    # The thread goes on, and the model is shown calls with their answers only.
    assert (await thread.ask(about("next")))["status"] == "COMPLETED"
