"""A run with tools: the model says what it wants called, gets the results, and goes on. Its answer
is held to the form that was asked for, and asked for once more where it has another.

Each time the model is asked is an attempt of the run with an answer of its own. What it used is
added up over all of them.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from restate import WorkflowContext

from actors.conversation import contract as conversation
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import FinishRunRequest, RunStatus, Work
from actors.conversation.contract.tools import (
    AskedCall,
    ReportToolCallsRequest,
    ReportToolCallsResponse,
    ToolCallStatus,
)
from chassis.calls import call
from chassis.identity import key_segments
from chassis.steps import now
from errors import Code, FieldViolation, RpcError
from errors import wire as errors
from services.mcp import contract as mcp
from services.mcp.calls import ToolCalls
from services.openrouter.answer_format import AnswerFormat
from services.openrouter.wire import ChatMessage, ChatRequest
from workflows.generation.answer import AnswerReader, Audience
from workflows.generation.contract import TOOL_ROUNDS_SPENT
from workflows.generation.fitting import fitted
from workflows.generation.model_request import bounded, model_request
from workflows.generation.offer import Offer, Planned, with_tools
from workflows.generation.settings import GenerationSettings
from workflows.generation.stop import Stop
from workflows.generation.tool_round import ToolRound

_Wrong = tuple[AnswerFormat, tuple[FieldViolation, ...]]


class ToolLoop:
    """Reads one run's answers until one of them wants no tool."""

    def __init__(
        self,
        ctx: WorkflowContext,
        reader: AnswerReader,
        calls: ToolCalls,
        audience: Audience,
        settings: GenerationSettings,
        stop: Stop,
        conversation_key: str,
    ) -> None:
        self._ctx = ctx
        self._reader = reader
        self._calls = calls
        self._audience = audience
        self._settings = settings
        self._stop = stop
        self._conversation = conversation_key
        self._usage: Usage | None = None
        self._cost = Decimal(0)
        self._corrected = False

    async def run(self, work: Work) -> FinishRunRequest | None:
        """How the run ended; None when it was settled behind our back."""
        offer = await self._offer(work)
        more: tuple[ChatMessage, ...] = ()
        described = offer.size if offer is not None else 0
        for _ in range(self._rounds(work) + 1):
            fit = fitted(work, more, described)
            request = with_tools(model_request(fit.work), fit.work.context, offer)
            request = replace(request, messages=(*request.messages, *more))
            report = await self._answer(fit.work, request)
            report.context_dropped = fit.dropped
            asked = self._reader.asked
            if not asked or report.status is not RunStatus.COMPLETED:
                return report
            planned = [(offer or Offer({})).planned(each) for each in asked]
            told = await self._tell(report, planned)
            if not told.wanted:
                return None
            self._reader.go_on()
            at = report.at or await now(self._ctx)
            answers = await self._round(offer, planned, told, at)
            if self._stop.reason is not None:
                return self._stopped(self._stop.reason)
            said = ChatMessage(role="assistant", content=report.text, tool_calls=asked)
            more = (*more, said, *answers)
            work = await self._following(work, told)
        return self._spent()

    async def _answer(self, work: Work, request: ChatRequest) -> FinishRunRequest:
        """What the model says; where that is the run's answer, in the form that was asked for."""
        report = self._added(await self._reader.read(work, request))
        if (wrong := self._wrong(work, report)) is None or self._corrected:
            return _refused(report, wrong)
        self._corrected = True
        form, violations = wrong
        at = report.at or await now(self._ctx)
        self._reader.ask_again(request, at, _error_of(report, wrong))
        again = form.asked_again(request, report.text, violations)
        said, work = report.text, work.model_copy(update={"started_at": at})
        report = self._added(await self._reader.read(work, bounded(again, work)))
        if report.status is not RunStatus.COMPLETED:
            # A wrong answer that was paid for is better than none.
            report.text = report.text or said
        return _refused(report, self._wrong(work, report))

    def _wrong(self, work: Work, report: FinishRunRequest) -> _Wrong | None:
        """What is wrong with the form of an answer. One that asks for tools is not the last."""
        form = AnswerFormat.of(work.generation_config)
        if form is None or report.status is not RunStatus.COMPLETED or self._reader.asked:
            return None
        violations = form.violations(report.text)
        return (form, violations) if violations else None

    async def _offer(self, work: Work) -> Offer | None:
        """What the thread allows, as far as its servers answer; None when that is nothing."""
        settings = work.tools
        if settings is None:
            return None
        tenant_id, *_ = key_segments(self._conversation)
        asked = mcp.OfferRequest(tenant_id=tenant_id, allowed=settings.allowed)
        try:
            found = await call(self._ctx, mcp.offer, asked)
        except RpcError as error:
            if error.code is Code.CANCELLED:
                raise
            return None  # an answer without tools is better than none
        return Offer.of(found, settings) if found.tools else None

    async def _tell(
        self, report: FinishRunRequest, planned: list[Planned]
    ) -> ReportToolCallsResponse:
        for each in planned:
            each.call.status = ToolCallStatus.REQUESTED
        asked = [
            AskedCall(
                call=each.call,
                approval=each.approval,
                input_schema=each.tool.tool.input_schema if each.tool and each.approval else None,
            )
            for each in planned
        ]
        told = ReportToolCallsRequest(
            run_id=self._ctx.key(),
            attempt=report.attempt,
            at=report.at or await now(self._ctx),
            text=report.text,
            model=report.model,
            calls=asked,
        )
        return await call(self._ctx, conversation.report_tool_calls, told, key=self._conversation)

    async def _round(
        self,
        offer: Offer | None,
        planned: list[Planned],
        told: ReportToolCallsResponse,
        at: datetime,
    ) -> list[ChatMessage]:
        calls = ToolRound(
            self._ctx,
            self._calls,
            self._settings,
            self._stop,
            self._conversation,
            offer or Offer({}),
        )
        return await calls.run(planned, told.approvals, self._reader.attempt, at, told.deadline)

    async def _following(self, work: Work, told: ReportToolCallsResponse) -> Work:
        self._audience.start(self._ctx.key(), self._conversation, told.answer_message_id)
        changes = {
            "answer_message_id": told.answer_message_id,
            "deadline": told.deadline,
            "started_at": await now(self._ctx),
        }
        return work.model_copy(update=changes)

    def _rounds(self, work: Work) -> int:
        settings = work.tools
        return (settings.max_rounds if settings else 0) or self._settings.tool_rounds

    def _added(self, report: FinishRunRequest) -> FinishRunRequest:
        """The report with what all answers of the run have used."""
        if report.usage is not None:
            so_far = self._usage or Usage()
            self._usage = Usage(
                prompt_tokens=so_far.prompt_tokens + report.usage.prompt_tokens,
                completion_tokens=so_far.completion_tokens + report.usage.completion_tokens,
                total_tokens=so_far.total_tokens + report.usage.total_tokens,
            )
        self._cost += Decimal(report.cost_usd or "0")
        report.usage = self._usage
        report.cost_usd = format(self._cost, "f") if self._cost else ""
        return report

    def _stopped(self, reason: str) -> FinishRunRequest:
        return self._without_answer(RunStatus.CANCELLED, reason=reason)

    def _spent(self) -> FinishRunRequest:
        error = errors.to_envelope(TOOL_ROUNDS_SPENT.error())["error"]
        return self._without_answer(RunStatus.FAILED, error=error)

    def _without_answer(self, status: RunStatus, **more: object) -> FinishRunRequest:
        values = {
            "run_id": self._ctx.key(),
            "attempt": self._reader.attempt,
            "status": status,
            "usage": self._usage,
            "cost_usd": format(self._cost, "f") if self._cost else "",
        }
        return FinishRunRequest.model_validate({**values, **more})


def _error_of(report: FinishRunRequest, wrong: _Wrong) -> dict[str, Any]:
    form, violations = wrong
    error = form.error(violations, report.model, report.provider, report.finish_reason)
    return errors.to_envelope(error)["error"]


def _refused(report: FinishRunRequest, wrong: _Wrong | None) -> FinishRunRequest:
    """The report of a run whose answer has the wrong form."""
    if wrong is not None:
        report.status, report.error = RunStatus.FAILED, _error_of(report, wrong)
    return report
