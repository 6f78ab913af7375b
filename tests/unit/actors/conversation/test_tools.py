"""What a thread takes down of tools, and that an approval is decided once, whatever dies."""

from datetime import timedelta
from typing import Any

import pytest

from actors.conversation import contract
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import Settings, ThreadStatus
from actors.conversation.contract.tools import (
    Approval,
    ApprovalDecision,
    ApprovalStatus,
    AskedCall,
    GetToolResultRequest,
    ReportToolCallsRequest,
    ReportToolCallsResponse,
    ReportToolResultRequest,
    ResolveApprovalRequest,
    ToolCall,
    ToolCallStatus,
    ToolSettings,
)
from errors import RpcError
from services.mcp.contract.tools import ToolContent, ToolEffect, ToolResult
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Thread(Conversation):
    """A thread whose run asks for tools."""

    async def running(self, **tools: Any) -> str:
        """A run that has begun."""
        settings = Settings(tools=ToolSettings(allowed=["*"], **tools))
        await self.open(settings=settings)
        return (await self.send()).run_id

    async def ask(
        self, run_id: str, *calls: str, attempt: int = 1, approval: bool = True
    ) -> ReportToolCallsResponse:
        """The workflow reports what the model wants."""
        asked = [
            AskedCall(
                call=ToolCall(
                    call_id=call,
                    name="box__note",
                    server_name="box",
                    tool_name="note",
                    arguments={"text": call},
                    effect=ToolEffect.DANGEROUS,
                    status=ToolCallStatus.REQUESTED,
                ),
                approval=approval,
                input_schema=SCHEMA,
            )
            for call in calls
        ]
        request = ReportToolCallsRequest(
            run_id=run_id, attempt=attempt, at=self.platform.time, text="Let me.", calls=asked
        )
        return await self.platform.call(contract.report_tool_calls, request, key=self.key)

    async def resolve(
        self, approval: Approval, decision: ApprovalDecision = ApprovalDecision.APPROVE, **more: Any
    ) -> Approval:
        """The user's word."""
        request = ResolveApprovalRequest(
            approval_id=approval.approval_id, decision=decision, **more
        )
        answer = await self.platform.call(contract.resolve_tool_approval, request, key=self.key)
        assert answer.approval is not None
        return answer.approval

    async def ended(self, run_id: str, result: ToolResult | None = None) -> None:
        """The workflow reports what a call has brought."""
        call = ToolCall(call_id="1", name="box__note", status=ToolCallStatus.SUCCEEDED)
        request = ReportToolResultRequest(
            run_id=run_id, at=self.platform.time, call=call, text="short", result=result
        )
        await self.platform.call(contract.report_tool_result, request, key=self.key)

    def words(self) -> list[tuple[str, bool]]:
        """What the workflow was told, in order."""
        sent = self.platform.sent(generation.resolve_approval)
        return [(word.approval_id, word.approved) for _, word in sent]


async def refused(thread: Thread, approval: Approval, **more: Any) -> str:
    with pytest.raises(RpcError) as error:
        await thread.resolve(approval, **more)
    return error.value.reason


async def test_calls_and_results_stand_in_the_log_and_in_the_thread() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running()
        told = await thread.ask(run_id, "1", approval=False)
        assert (told.wanted, told.approvals) == (True, [])
        await thread.ended(run_id)
        await thread.finish(run_id, "Done.", attempt=2)
        assert await thread.told() == [
            "message.created",
            "run.started",
            "message.completed",
            "tool.requested",
            "tool.completed",
            "message.completed",
            "run.completed",
        ]
        assert await thread.said() == ["hello", "Let me.", "short", "Done."]
        messages = (await thread.state()).messages
        assert [call.call_id for call in messages[1].tool_calls] == ["1"]
        assert messages[3].message_id == told.answer_message_id
        assert len({message.message_id for message in messages}) == 4


async def test_a_call_that_waits_holds_the_thread_and_moves_the_runs_deadline() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running(approval_timeout=HOUR)
        told = await thread.ask(run_id, "1", "2")
        state = await thread.state()
        assert state.status is ThreadStatus.AWAITING_APPROVAL
        assert (await thread.run(run_id)).status is RunStatus.AWAITING_APPROVAL
        assert [each.call_id for each in state.pending_approvals] == ["1", "2"]
        assert state.pending_approvals[0].owner == "alice"
        assert state.pending_approvals[0].input_schema == SCHEMA
        assert told.deadline is not None
        assert told.deadline >= platform.time + HOUR
        await thread.resolve(state.pending_approvals[1])
        assert (await thread.state()).status is ThreadStatus.AWAITING_APPROVAL
        await thread.resolve(state.pending_approvals[0], ApprovalDecision.DENY)
        assert (await thread.state()).status is ThreadStatus.RUNNING
        one, two = told.approvals
        assert thread.words() == [(two.approval_id, True), (one.approval_id, False)]


async def test_a_report_of_a_settled_run_or_an_older_attempt_asks_for_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running()
        await thread.retrying(run_id, 2)
        assert not (await thread.ask(run_id, "1", attempt=1)).wanted
        await thread.finish(run_id, attempt=2)
        assert not (await thread.ask(run_id, "1", attempt=2)).wanted
        await thread.ended(run_id)
        assert "tool.requested" not in await thread.told()
        assert "tool.completed" not in await thread.told()


async def test_the_default_holds_after_the_deadline_and_a_late_word_is_refused() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running(
            approval_timeout=HOUR, approval_default=ApprovalDecision.APPROVE
        )
        (approval,) = (await thread.ask(run_id, "1")).approvals
        await platform.advance(HOUR.total_seconds() + 1)
        assert thread.words() == [(approval.approval_id, True)]
        assert await refused(thread, approval) == "approval.expired"
        assert (await thread.state()).status is ThreadStatus.RUNNING


async def test_a_word_after_the_deadline_is_refused_even_before_the_reminder() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running(approval_timeout=HOUR)
        (approval,) = (await thread.ask(run_id, "1")).approvals
        platform.now += HOUR.total_seconds()
        assert await refused(thread, approval) == "approval.expired"


async def test_an_ended_run_takes_its_approvals_with_it() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running(approval_timeout=HOUR)
        (approval,) = (await thread.ask(run_id, "1")).approvals
        await thread.finish(run_id, "", RunStatus.CANCELLED)
        assert await refused(thread, approval) == "approval.cancelled"
        assert (await thread.state()).pending_approvals == []
        await platform.advance(HOUR.total_seconds() + 1)
        assert thread.words() == []


async def test_edited_arguments_have_to_fit_the_schema() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running(approval_timeout=HOUR)
        (approval,) = (await thread.ask(run_id, "1")).approvals
        assert await refused(thread, approval, arguments={"text": 1}) == "request.invalid"
        assert await refused(thread, approval, arguments={}) == "request.invalid"
        decided = await thread.resolve(approval, arguments={"text": "mine"})
        assert (decided.status, decided.edited) == (ApprovalStatus.APPROVED, {"text": "mine"})


async def test_a_large_result_is_read_by_its_id() -> None:
    async with FakePlatform() as platform:
        thread = Thread(platform)
        run_id = await thread.running()
        await thread.ask(run_id, "1", approval=False)
        whole = ToolResult(content=[ToolContent(type="text", text="x" * 50_000)])
        await thread.ended(run_id, whole)
        (event,) = [event for event in await thread.events() if event.type == "tool.completed"]
        assert event.tool_call is not None
        asked = GetToolResultRequest(result_id=event.tool_call.result_id)
        read = await platform.call(contract.get_tool_result, asked, key=thread.key)
        assert read.result == whole
        nothing = GetToolResultRequest(result_id="res_never")
        with pytest.raises(RpcError) as error:
            await platform.call(contract.get_tool_result, nothing, key=thread.key)
        assert error.value.reason == "tool_result.not_found"


async def test_approvals_survive_the_death_of_the_process_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Thread(platform)
        run_id = await thread.running(approval_timeout=HOUR)
        told = await thread.ask(run_id, "1", "2")
        await thread.resolve(told.approvals[0])
        await platform.advance(HOUR.total_seconds() + 1)
        await thread.ended(run_id)
        await thread.finish(run_id, "Done.", attempt=2)
        return [await thread.told(), thread.words()]

    assert await survives_every_crash(story) > 5
