"""The calls that a model asks for at once: they wait for people, are made side by side, and end.

Each call goes its own way from "decide" (where a person has to) over "claim" (where it may not be
made twice) to "call"; what is awaited of all of them is awaited together, beside a stop. While only
people are waited for, the run holds no invocation slot.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from restate import WorkflowContext
from restate.context import RestateDurableFuture

from actors.conversation import contract as conversation
from actors.conversation.contract.tools import (
    Approval,
    ApprovalDecision,
    ReportToolResultRequest,
    ToolCallStatus,
)
from chassis.calls import send
from chassis.identity import key_segments
from chassis.steps import attempt
from chassis.suspension import free_slot
from errors import RpcError
from services.mcp.calls import Claim, PlannedCall, ToolCalls, ToolOutcome
from services.mcp.contract.tools import ToolEffect
from services.openrouter.wire import ChatMessage
from workflows.generation import tool_text
from workflows.generation.contract import ResolveApprovalRequest
from workflows.generation.offer import Offer, Planned
from workflows.generation.settings import GenerationSettings
from workflows.generation.stop import Stop

# The thread reminds itself of a deadline; should it be unable to, the default holds after this.
_AFTER_DEADLINE = timedelta(minutes=1)
_BACKSTOP = "backstop"


def approval_promise(approval_id: str) -> str:
    """The name of the promise that a decision resolves."""
    return f"approval:{approval_id}"


class ToolRound:
    """One round of calls."""

    def __init__(
        self,
        ctx: WorkflowContext,
        calls: ToolCalls,
        settings: GenerationSettings,
        stop: Stop,
        conversation_key: str,
        offer: Offer,
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._settings = settings
        self._stop = stop
        self._conversation = conversation_key
        self._offer = offer
        self._planned: Sequence[Planned] = ()
        self._approvals: dict[int, Approval] = {}
        self._waiting: dict[str, RestateDurableFuture[Any]] = {}
        self._texts: dict[int, str] = {}
        self._prefix = ""
        self._longest: timedelta | None = None

    async def run(
        self,
        planned: Sequence[Planned],
        approvals: Sequence[Approval],
        number: int,
        at: datetime,
        deadline: datetime | None,
    ) -> list[ChatMessage]:
        """Let every call end, and say what the model reads of each.

        number: of the attempt that asked for them.
        at, deadline: now, and when the run has to be over.
        """
        self._planned = planned
        self._prefix = f"{self._ctx.key()}/{number}"
        self._longest = deadline - at if deadline is not None else None
        by_call = {approval.call_id: approval for approval in approvals}
        for place, each in enumerate(planned):
            approval = by_call.get(each.call.call_id) if each.approval else None
            if each.problem:
                self._end(place, ToolCallStatus.FAILED, each.problem)
            elif approval is not None:
                self._decide(place, approval)
            else:
                self._begin(place)
        if self._approvals:
            last = max(a.deadline for a in self._approvals.values() if a.deadline is not None)
            self._waiting[_BACKSTOP] = self._ctx.sleep(last - at + _AFTER_DEADLINE)
        await self._wait()
        return [
            ChatMessage(role="tool", content=self._texts[place], tool_call_id=each.call.call_id)
            for place, each in enumerate(planned)
        ]

    async def _wait(self) -> None:
        while self._waiting.keys() - {_BACKSTOP}:
            if all(name == _BACKSTOP or name.startswith("decide:") for name in self._waiting):
                free_slot(self._ctx)
            found = await self._stop.or_first(self._waiting)
            if found is None:
                self._give_up()
                continue
            name, value = found
            if isinstance(value, RpcError):
                raise value
            del self._waiting[name]
            if name == _BACKSTOP:
                self._expire()
            else:
                self._go_on(name, value)

    def _go_on(self, name: str, value: Any) -> None:
        kind, _, number = name.partition(":")
        place = int(number)
        if kind == "decide":
            self._decided(place, ResolveApprovalRequest.from_json(value.encode()))
        elif kind == "claim" and self._stop.reason is None:
            self._call(place, value)
        elif kind == "claim":
            self._cancelled(place)
        else:
            self._called(place, value)

    def _decide(self, place: int, approval: Approval) -> None:
        self._approvals[place] = approval
        promise = self._ctx.promise(approval_promise(approval.approval_id), type_hint=str)
        self._waiting[f"decide:{place}"] = promise.value()
        self._planned[place].call.approval_id = approval.approval_id

    def _decided(self, place: int, word: ResolveApprovalRequest) -> None:
        if not word.approved:
            said = f" They said: {word.reason}" if word.reason else ""
            who = "Nobody approved it in time." if word.expired else "The user denied the call."
            self._end(place, ToolCallStatus.DENIED, f"{who}{said} It was not made.")
            return
        if word.arguments is not None:
            self._planned[place].call.arguments = word.arguments
        self._begin(place)

    def _expire(self) -> None:
        for name in [name for name in self._waiting if name.startswith("decide:")]:
            del self._waiting[name]
            place = int(name.partition(":")[2])
            default = self._approvals[place].default_decision
            approved = default is ApprovalDecision.APPROVE
            word = ResolveApprovalRequest(approval_id="", approved=approved, expired=True)
            self._decided(place, word)

    def _begin(self, place: int) -> None:
        if self._planned[place].call.effect is ToolEffect.DANGEROUS:
            future = attempt(self._ctx, "claim", self._calls.claim, Claim)
            self._waiting[f"claim:{place}"] = future
        else:
            self._call(place, None)

    def _call(self, place: int, claim: Claim | None) -> None:
        planned = self._plan(self._planned[place])
        self._waiting[f"call:{place}"] = attempt(
            self._ctx, "call", self._calls.take, ToolOutcome, self._id(place), planned, claim
        )

    def _plan(self, each: Planned) -> PlannedCall:
        record = self._offer.servers[each.call.server_name]
        if self._longest is not None:
            own = record.timeout or self._longest
            record = record.model_copy(update={"timeout": min(own, self._longest)})
        tenant_id, *_ = key_segments(self._conversation)
        return PlannedCall(
            tenant_id=tenant_id,
            record=record,
            tool_name=each.call.tool_name,
            effect=each.call.effect,
            arguments=each.call.arguments,
        )

    def _called(self, place: int, outcome: ToolOutcome) -> None:
        call = self._planned[place].call
        call.timing = outcome.timing
        call.error = outcome.error
        text = tool_text.text_of(outcome)
        self._end(place, tool_text.status_of(outcome), text, outcome)

    def _give_up(self) -> None:
        """The run was stopped: what waits for a person never is made, what runs is cut off."""
        for name in list(self._waiting):
            kind, _, number = name.partition(":")
            if kind == "call":
                self._calls.cancel(self._id(int(number)))
            elif kind == "decide":
                del self._waiting[name]
                self._cancelled(int(number))
        self._waiting.pop(_BACKSTOP, None)

    def _cancelled(self, place: int) -> None:
        self._end(place, ToolCallStatus.CANCELLED, "The run was cancelled before the call.")

    def _end(
        self, place: int, status: ToolCallStatus, text: str, outcome: ToolOutcome | None = None
    ) -> None:
        call = self._planned[place].call
        call.status = status
        most = self._settings.tool_text_bytes
        self._texts[place] = tool_text.cut(text, most)
        result = outcome.result if outcome is not None else None
        whole = tool_text.is_whole(result, text, most)
        call.result_bytes = 0 if whole else len(text.encode())
        timing = call.timing
        ended = None
        if timing is not None and timing.started_at is not None and timing.duration is not None:
            ended = timing.started_at + timing.duration
        report = ReportToolResultRequest(
            run_id=self._ctx.key(),
            at=ended,
            call=call,
            text=self._texts[place],
            result=None if whole else result,
        )
        send(self._ctx, conversation.report_tool_result, report, key=self._conversation)

    def _id(self, place: int) -> str:
        return f"{self._prefix}/{place}"
