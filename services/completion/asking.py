"""Asking for one answer that fits its budget and its form.

An answer of another form than was asked for is told to the model, which is asked once more; what
both used is added up. An answer that the budget cut off is answered as it is, with the finish
reason `length`, because it was paid for; but not where it was to have a form, which it cannot have.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from actors.conversation.contract import BUDGET_SPENT
from actors.conversation.contract.thread import GenerationConfig
from errors import Outcome
from services.completion.reading import Answered, CompletionReader
from services.openrouter.answer_format import AnswerFormat
from services.openrouter.purse import Purse
from services.openrouter.wire import ChatRequest, Usage


async def answer_of(
    reader: CompletionReader,
    config: GenerationConfig,
    request: ChatRequest,
    purse: Purse,
    deadline: datetime,
) -> Answered:
    """The answer. Raises the failure of the model, budget.spent, answer.format_invalid."""
    form = AnswerFormat.of(config)
    answered, paid = await _ask(reader, request, purse)
    violations = form.violations(answered.text) if form else ()
    if form is None or not violations:
        return answered
    if not paid:
        raise BUDGET_SPENT.error(outcome=Outcome.COMPLETED)
    reader.start_anew()
    seconds = max((deadline - answered.at).total_seconds(), 1.0)
    again = form.asked_again(request, answered.text, violations)
    first = answered
    within = replace(again, total_timeout_seconds=seconds)
    answered, paid = await _ask(reader, within, purse, Outcome.COMPLETED)
    if violations := form.violations(answered.text):
        if not paid:
            raise BUDGET_SPENT.error(outcome=Outcome.COMPLETED)
        finish = answered.finish
        raise form.error(violations, finish.model, finish.provider, finish.finish_reason)
    usage = _sum(first.finish.usage, answered.finish.usage)
    return replace(answered, finish=replace(answered.finish, usage=usage))


async def _ask(
    reader: CompletionReader,
    request: ChatRequest,
    purse: Purse,
    before: Outcome | None = None,
) -> tuple[Answered, bool]:
    payable = purse.bound(request)
    if payable is None:
        raise BUDGET_SPENT.error(outcome=before)
    answered = await reader.read(payable)
    return answered, purse.pay(answered.finish)


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    cost = Decimal(one.cost or "0") + Decimal(other.cost or "0")
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        total_tokens=one.total_tokens + other.total_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        cost=format(cost, "f") if cost else "",
    )
