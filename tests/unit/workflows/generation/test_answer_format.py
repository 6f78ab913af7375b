"""An answer that was to have a form: checked, asked for once more, then the run's failure."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from actors.conversation.contract.run import FinishRunRequest, RunStatus, Spendable
from actors.conversation.contract.thread import (
    GenerationConfig,
    ResponseFormat,
    ResponseFormatType,
)
from services.openrouter import reasons
from services.openrouter.wire import Usage
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from tests.support.generations import END, Generating, Line, ScriptedModel, generating

pytestmark = pytest.mark.anyio

NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
RIGHT, WRONG = '{"name": "Ada"}', '{"age": 36}'

both_lanes = pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])


def formed(run: Generating, schema: dict[str, Any] | None = NAMED, *more: str) -> None:
    """The run's answer is to fit this schema, or to be any JSON object."""
    kind = ResponseFormatType.JSON_SCHEMA if schema else ResponseFormatType.JSON_OBJECT
    config = GenerationConfig(
        model="asked/for",
        fallback_models=list(more),
        response_format=ResponseFormat(type=kind, json_schema=schema),
    )
    assert run.work is not None
    run.work = run.work.model_copy(update={"generation_config": config})


def failure(report: FinishRunRequest) -> tuple[str, str, list[tuple[str, str]]]:
    """Code, reason and violations of a failed run."""
    assert report.status is RunStatus.FAILED
    assert report.error is not None
    details = report.error["details"]
    told = [(v["field"], v["description"]) for v in details.get("fieldViolations", [])]
    return report.error["code"], details["reason"], told


@both_lanes
async def test_an_answer_that_has_the_form_is_asked_for_once(suspends: bool) -> None:
    async with generating([RIGHT, END], suspends=suspends) as run:
        formed(run)
        report = await run.run()
        assert (report.status, report.text, report.attempt) == (RunStatus.COMPLETED, RIGHT, 1)
        assert (len(run.model.asked), report.fallbacks) == (1, [])


@both_lanes
async def test_the_model_is_told_what_is_wrong_and_asked_once_more(suspends: bool) -> None:
    async with generating([WRONG, END], [RIGHT, END], suspends=suspends) as run:
        formed(run)
        report = await run.run()
        assert (report.status, report.text, report.attempt) == (RunStatus.COMPLETED, RIGHT, 2)
        first, second = run.model.asked
        assert second.messages[: len(first.messages)] == first.messages
        said, told = second.messages[len(first.messages) :]
        assert (said.role, said.content, told.role) == ("assistant", WRONG, "user")
        assert "must not break `required`" in told.content
        assert '"required": ["name"]' in told.content, "its provider may not have shown it"
        assert second.response_format == first.response_format


async def test_the_record_says_why_the_model_was_asked_again_and_what_both_cost() -> None:
    async with generating([WRONG, END], [RIGHT, END]) as run:
        formed(run)
        report = await run.run()
        [left], [retried] = report.fallbacks, run.retried()
        assert (left.model, retried.attempt) == ("asked/for", 2)
        assert left.error == retried.error
        assert left.error is not None
        assert left.error["details"]["reason"] == "answer.format_invalid"
        assert WRONG not in str(left.error)
        assert report.usage is not None
        assert (report.usage.total_tokens, report.cost_usd) == (24, "0.02")


async def test_a_second_wrong_answer_fails_the_run_and_is_kept() -> None:
    async with generating([WRONG, END], ['{"name": 3}', END]) as run:
        formed(run)
        report = await run.run()
        violation = ('answer["name"]', "must not break `type`")
        assert failure(report) == ("UPSTREAM_ERROR", "answer.format_invalid", [violation])
        assert report.error is not None
        assert report.error["details"]["modelError"]["model"] == "served/by"
        assert (report.text, report.attempt) == ('{"name": 3}', 2)
        assert len(run.model.asked) == 2


@pytest.mark.parametrize(
    "said", ["Here it is: {}", "```json\n{}\n```", "[]", "3", '{"a": NaN}', '{"a"', "[" * 100_000]
)
async def test_what_is_no_json_object_is_not_one(said: str) -> None:
    async with generating([said, END], ["{}", END]) as run:
        formed(run, None)
        report = await run.run()
        assert (report.status, report.text, report.attempt) == (RunStatus.COMPLETED, "{}", 2)


async def test_a_run_that_asked_for_text_answers_any() -> None:
    async with generating(["not JSON", END]) as run:
        kind = ResponseFormatType.TEXT
        config = GenerationConfig(model="m", response_format=ResponseFormat(type=kind))
        assert run.work is not None
        run.work = run.work.model_copy(update={"generation_config": config})
        assert (await run.run()).status is RunStatus.COMPLETED
        assert len(run.model.asked) == 1


async def test_the_second_answer_may_cost_what_the_budget_has_left() -> None:
    dear = replace(END, usage=Usage(cost="0.01"))
    async with generating([WRONG, dear], ["never", END]) as run:
        formed(run)
        assert run.work is not None
        spendable = Spendable(usd="0.01", prompt_price="0", completion_price="0.0001")
        run.work = run.work.model_copy(update={"spendable": spendable})
        report = await run.run()
        assert failure(report)[:2] == ("QUOTA_EXCEEDED", "budget.spent")
        assert (report.text, len(run.model.asked)) == (WRONG, 1), "what was paid for is kept"


async def test_a_failure_of_the_second_answer_is_the_runs_and_the_first_is_kept() -> None:
    async with generating([WRONG, END], [reasons.MODERATED.error()]) as run:
        formed(run)
        report = await run.run()
        assert failure(report)[1] == "model.moderated"
        assert report.text == WRONG


async def test_the_model_that_answered_wrongly_is_asked_again_not_the_one_before() -> None:
    scripts: list[list[Line]] = [[reasons.UNAVAILABLE.error()], [WRONG, END], [RIGHT, END]]
    async with generating(*scripts) as run:
        formed(run, NAMED, "second")
        report = await run.run()
        assert [r.model for r in run.model.asked] == ["asked/for", "second", "second"]
        assert [left.model for left in report.fallbacks] == ["asked/for", "second"]
        assert report.status is RunStatus.COMPLETED


async def test_a_stop_while_the_model_corrects_itself_keeps_what_it_said() -> None:
    async with generating([WRONG, END], [asyncio.Event()]) as run:
        formed(run)
        invocation = run.start()
        await run.platform.until(lambda: len(run.model.asked) == 2)
        await run.stop("enough")
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.status, report.text) == (RunStatus.CANCELLED, WRONG)
        assert (report.attempt, run.model.open) == (2, 0)


async def test_correcting_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        script: tuple[list[Line], ...] = ([WRONG, END], [RIGHT, END])
        run = Generating(platform, ScriptedModel(*script))
        formed(run)
        try:
            report = await run.run()
        finally:
            await run.streams.aclose()
        return [report.text, report.status.name, len(report.fallbacks)]

    assert await survives_every_crash(story) >= 3
