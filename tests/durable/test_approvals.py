"""Calls that wait for a person: decided once, by the right one, in time, or by the default."""

import uuid
from collections.abc import AsyncIterator

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from devstack.toolbox.control import ToolboxControl
from tests.support.conversation import Conversation, Json, RefusedError, User
from tests.support.stack import RunningStack
from tests.support.tools import (
    ALLOWED,
    pending,
    resolve,
    thread_with,
    tool_events,
    toolbox_of,
    wants,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def toolbox(stack: RunningStack) -> AsyncIterator[ToolboxControl]:
    async with toolbox_of(stack) as toolbox:
        yield toolbox


async def waiting(
    alice: User, model: OpenRouterControl, tools: Json = ALLOWED, text: str = "a line"
) -> tuple[Conversation, str, Json]:
    """A thread whose model asks to write a line, the run, and the approval that it waits for."""
    question = f"note {uuid.uuid4().hex}"
    done = Answer(text="All done.")
    await model.script(wants(("note", {"text": text})), done, contains=question)
    thread = await thread_with(alice, tools)
    run_id = await thread.send(question)
    (approval,) = await pending(thread)
    return thread, run_id, approval


async def outcome(thread: Conversation) -> Json:
    """How the one call of a thread has ended."""
    (call,) = tool_events(await thread.events(), "tool.completed")
    return call


async def test_an_approval_says_what_is_asked_of_whom_until_when(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    assert approval["runId"] == run_id
    assert (approval["toolName"], approval["arguments"]) == ("note", {"text": "a line"})
    assert approval["owner"] == "alice"
    assert approval["deadline"] > approval["requestedAt"]
    assert approval["defaultDecision"] == "DENY"
    assert approval["inputSchema"]["required"] == ["text"]
    assert (await thread.run(run_id))["status"] == "AWAITING_APPROVAL"
    assert await toolbox.calls("note") == []
    await thread.cancel(run_id)


async def test_an_approved_call_is_made_and_the_run_goes_on(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    resolved = await resolve(thread, approval, "APPROVE")
    assert resolved["status"] == "APPROVED"
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    assert (await outcome(thread))["status"] == "SUCCEEDED"
    assert [call.arguments for call in await toolbox.calls("note")] == [{"text": "a line"}]
    assert (await thread.state())["pendingApprovals"] == []


async def test_a_call_is_made_with_the_arguments_that_a_person_edited(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    await resolve(thread, approval, "APPROVE", arguments={"text": "a better line"})
    await thread.settled(run_id)
    assert [call.arguments for call in await toolbox.calls("note")] == [{"text": "a better line"}]
    assert (await outcome(thread))["arguments"] == {"text": "a better line"}


async def test_edited_arguments_that_do_not_fit_are_refused_and_the_call_waits_on(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    with pytest.raises(RefusedError) as refused:
        await resolve(thread, approval, "APPROVE", arguments={"text": 7, "more": True})
    assert refused.value.reason == "request.invalid"
    assert (await thread.state())["status"] == "AWAITING_APPROVAL"
    await resolve(thread, approval, "APPROVE")
    await thread.settled(run_id)
    assert len(await toolbox.calls("note")) == 1


async def test_a_denied_call_is_not_made_and_the_model_hears_why(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    await resolve(thread, approval, "DENY", reason="not on a Sunday")
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    assert (await outcome(thread))["status"] == "DENIED"
    assert "not on a Sunday" in dict(await thread.said())["tool"]
    assert await toolbox.calls("note") == []


async def test_approving_twice_counts_once_and_another_word_comes_too_late(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    first = await resolve(thread, approval, "APPROVE")
    assert await resolve(thread, approval, "APPROVE") == first
    for changed in ({"decision": "DENY"}, {"decision": "APPROVE", "arguments": {"text": "x"}}):
        with pytest.raises(RefusedError) as refused:
            await thread.call("resolve-tool-approval", approvalId=approval["approvalId"], **changed)
        assert (refused.value.status, refused.value.reason) == (400, "approval.resolved")
    await thread.settled(run_id)
    assert await resolve(thread, approval, "APPROVE") == first
    assert len(await toolbox.calls("note")) == 1


@pytest.mark.parametrize(("default", "status"), [("DENY", "DENIED"), ("APPROVE", "SUCCEEDED")])
async def test_after_the_deadline_the_default_holds_and_nobody_can_decide(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl, default: str, status: str
) -> None:
    tools = ALLOWED | {"approvalTimeout": "1s", "approvalDefault": default}
    thread, run_id, approval = await waiting(alice, model, tools)
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    assert (await outcome(thread))["status"] == status
    with pytest.raises(RefusedError) as refused:
        await resolve(thread, approval, "APPROVE")
    assert (refused.value.status, refused.value.reason) == (400, "approval.expired")
    assert len(await toolbox.calls("note")) == (1 if default == "APPROVE" else 0)


async def test_an_approval_of_another_user_is_not_there(
    alice: User, bob: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    strange = Conversation(bob, thread.key)
    own = await thread_with(bob)
    for place in (strange, own):
        with pytest.raises(RefusedError) as refused:
            await resolve(place, approval, "APPROVE")
        assert refused.value.status == 404
    with pytest.raises(RefusedError) as refused:
        await resolve(thread, {"approvalId": "apr_never"}, "APPROVE")
    assert (refused.value.status, refused.value.reason) == (404, "approval.not_found")
    assert (await thread.state())["status"] == "AWAITING_APPROVAL"
    await thread.cancel(run_id)


@pytest.mark.live_only
async def test_a_run_is_cancelled_while_it_waits_for_approval(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    thread, run_id, approval = await waiting(alice, model)
    await thread.cancel(run_id)
    run = await thread.settled(run_id)
    assert run["status"] == "CANCELLED"
    with pytest.raises(RefusedError) as refused:
        await resolve(thread, approval, "APPROVE")
    assert (refused.value.status, refused.value.reason) == (400, "approval.cancelled")
    assert await toolbox.calls("note") == []
    assert (await thread.ask(f"next {uuid.uuid4().hex}"))["status"] == "COMPLETED"


async def test_several_calls_are_decided_each_for_itself_and_those_without_need_do_not_wait(
    alice: User, model: OpenRouterControl, toolbox: ToolboxControl
) -> None:
    question = f"several {uuid.uuid4().hex}"
    calls = wants(("add", {"a": 1, "b": 1}), ("note", {"text": "1"}), ("note", {"text": "2"}))
    await model.script(calls, Answer(text="All done."), contains=question)
    thread = await thread_with(alice)
    run_id = await thread.send(question)
    one, two = await pending(thread, 2)
    await thread.happened("tool.completed")
    assert len(await toolbox.calls("add")) == 1
    await resolve(thread, two, "APPROVE")
    await toolbox.wait("note")
    assert (await thread.state())["status"] == "AWAITING_APPROVAL"
    await resolve(thread, one, "DENY")
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    assert [call.arguments for call in await toolbox.calls("note")] == [{"text": "2"}]


@pytest.mark.parametrize(
    ("approvals", "waits"),
    [
        ([], True),
        ([{"tool": "*", "approval": "NEVER"}], False),
        ([{"tool": "*", "approval": "NEVER"}, {"tool": "toolbox", "approval": "ALWAYS"}], True),
        ([{"tool": "toolbox", "approval": "ALWAYS"},
          {"tool": "toolbox/note", "approval": "NEVER"}], False),
    ],
)  # fmt: skip
async def test_the_narrowest_rule_of_the_thread_counts(
    alice: User,
    model: OpenRouterControl,
    toolbox: ToolboxControl,
    approvals: list[Json],
    waits: bool,
) -> None:
    question = f"rule {uuid.uuid4().hex}"
    await model.script(wants(("note", {"text": "x"})), Answer(text="Done."), contains=question)
    thread = await thread_with(alice, ALLOWED | {"approvals": approvals})
    run_id = await thread.send(question)
    if waits:
        (approval,) = await pending(thread)
        await resolve(thread, approval, "DENY")
    assert (await thread.settled(run_id))["status"] == "COMPLETED"
    assert len(await toolbox.calls("note")) == (0 if waits else 1)
