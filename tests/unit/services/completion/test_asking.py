"""Completions with a budget and with a form."""

from dataclasses import replace
from typing import Any

import pytest

from actors.conversation.contract.thread import (
    Budget,
    GenerationConfig,
    ResponseFormat,
    ResponseFormatType,
)
from errors import Outcome, RpcError
from services.completion.contract import CompleteRequest
from services.openrouter.wire import Usage
from tests.support.completions import ASKED, completing
from tests.support.generations import END

pytestmark = pytest.mark.anyio

NAMED = {"type": "object", "required": ["name"]}
RIGHT, WRONG = '{"name": "Ada"}', '{"age": 36}'
CUT = replace(END, finish_reason="length")

both_lanes = pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])


def asking(*, schema: dict[str, Any] | None = None, usd: str = "", **more: Any) -> CompleteRequest:
    """A completion with a form, a budget, or both."""
    kind = ResponseFormatType.JSON_SCHEMA
    form = ResponseFormat(type=kind, json_schema=schema) if schema is not None else None
    budget = Budget(run_usd=usd) if usd else None
    config = GenerationConfig(model="asked/for", response_format=form, budget=budget, **more)
    return ASKED.model_copy(update={"generation_config": config})


def violated(error: RpcError) -> list[str]:
    """The fields that an error names."""
    return [violation.field for violation in error.details.field_violations]


@both_lanes
async def test_an_answer_of_another_form_is_asked_for_once_more(suspends: bool) -> None:
    async with completing([WRONG, END], [RIGHT, END], suspends=suspends) as it:
        answer = await it.ask(asking(schema=NAMED))
        assert (answer.content, answer.attempts) == (RIGHT, 2)
        assert answer.usage is not None
        assert (answer.usage.total_tokens, answer.cost_usd) == (24, "0.02")
        assert "must not break `required`" in it.model.asked[1].messages[-1].content


async def test_a_second_answer_of_another_form_is_refused() -> None:
    async with completing([WRONG, END]) as it:
        error = await it.refused(asking(schema=NAMED))
        assert (error.code, error.reason) == ("UPSTREAM_ERROR", "answer.format_invalid")
        assert violated(error) == ["answer"]
        assert error.details.model_error is not None
        assert error.details.model_error.model == "served/by"
        assert len(it.model.asked) == 2
        assert it.streams.places_taken == 0


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"required": 1}, None])
async def test_a_schema_that_is_none_is_refused_before_anything_is_asked(
    schema: dict[str, Any] | None,
) -> None:
    async with completing([RIGHT, END]) as it:
        form = ResponseFormat(type=ResponseFormatType.JSON_SCHEMA, json_schema=schema)
        config = GenerationConfig(response_format=form)
        error = await it.refused(ASKED.model_copy(update={"generation_config": config}))
        assert (error.code, violated(error)) == (
            "INVALID_ARGUMENT",
            ["generationConfig.responseFormat.jsonSchema"],
        )
        assert (it.model.asked, it.streams.places_taken) == ([], 0)


async def test_an_answer_is_bounded_to_what_can_be_paid_and_says_that_it_was_cut() -> None:
    async with completing(["as far as the money goes", CUT]) as it:
        # Seven tokens of the question, and 0.01 dollars for each one of the answer.
        answer = await it.ask(asking(usd="0.057"))
        assert it.model.asked[0].max_tokens == 5
        assert (answer.content, answer.finish_reason) == ("as far as the money goes", "length")


async def test_without_money_for_a_token_nobody_is_asked() -> None:
    async with completing(["never", END]) as it:
        error = await it.refused(asking(usd="0.009"))
        assert (error.code, error.reason) == ("QUOTA_EXCEEDED", "budget.spent")
        assert (it.model.asked, it.streams.places_taken) == ([], 0)


async def test_a_completion_without_a_budget_is_not_bounded() -> None:
    async with completing(["x", END]) as it:
        await it.ask(asking())
        assert it.model.asked[0].max_tokens is None


async def test_an_answer_is_asked_for_once_more_only_where_that_can_be_paid() -> None:
    dear = replace(END, usage=Usage(cost="0.5"))
    async with completing([WRONG, dear], [RIGHT, END]) as it:
        error = await it.refused(asking(schema=NAMED, usd="0.5"))
        assert (error.reason, len(it.model.asked)) == ("budget.spent", 1)
        assert error.outcome is Outcome.COMPLETED, "it was paid for"


async def test_an_answer_with_a_form_that_the_money_cut_off_is_no_answer() -> None:
    async with completing([WRONG, CUT], [RIGHT, END]) as it:
        error = await it.refused(asking(schema=NAMED, usd="0.057"))
        assert (error.reason, len(it.model.asked)) == ("budget.spent", 1)
        assert error.outcome is Outcome.COMPLETED, "it was paid for"


async def test_the_budget_of_a_thread_is_refused_where_there_is_none() -> None:
    async with completing(["x", END]) as it:
        config = GenerationConfig(budget=Budget(thread_usd="1"))
        error = await it.refused(ASKED.model_copy(update={"generation_config": config}))
        assert (error.code, violated(error)) == (
            "INVALID_ARGUMENT",
            ["generationConfig.budget.threadUsd"],
        )


async def test_what_the_model_cannot_do_is_refused() -> None:
    async with completing(["x", END]) as it:
        error = await it.refused(asking(max_tokens=1001))
        assert (error.reason, violated(error)) == (
            "config.beyond_model",
            ["generationConfig.maxTokens"],
        )
