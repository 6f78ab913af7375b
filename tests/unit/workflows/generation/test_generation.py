"""A run from its place among the streams to its report, whatever happens on the way."""

import asyncio
from datetime import timedelta

import pytest

from actors.conversation import contract as conversation
from actors.conversation.contract.run import BeginRunRequest, BeginRunResponse, RunStatus
from errors import Code, ErrorDetails, RetryInfo, RpcError, wire
from services.openrouter import reasons
from tests.support.generations import END, RUN, THREAD, Line, generating
from workflows.generation import contract

pytestmark = pytest.mark.anyio

BUSY = reasons.RATE_LIMITED.error()


def busy_for(seconds: float) -> RpcError:
    """A refusal that says when to come again."""
    retry = RetryInfo(retry_after=timedelta(seconds=seconds))
    return reasons.RATE_LIMITED.error(details=ErrorDetails(retry_info=retry))


both_lanes = pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])


@both_lanes
async def test_the_report_has_the_whole_answer_and_what_it_cost(suspends: bool) -> None:
    async with generating(["Hel", "lo", END], suspends=suspends) as run:
        report = await run.run()
        assert report.status is RunStatus.COMPLETED
        assert (report.text, report.attempt) == ("Hello", 1)
        assert (report.model, report.provider) == ("served/by", "provider")
        assert (report.finish_reason, report.generation_id) == ("stop", "gen_1")
        assert report.usage is not None
        assert (report.usage.prompt_tokens, report.usage.completion_tokens) == (5, 7)
        assert report.cost_usd == "0.01"
        assert report.error is None
        assert report.at == run.platform.time
        assert len(run.model.asked) == 1
        assert run.retried() == []


async def test_the_model_is_asked_what_the_thread_wants_to_know() -> None:
    async with generating(["x", END]) as run:
        assert run.work is not None
        run.work.started_at = run.platform.time
        run.work.deadline = run.platform.time + timedelta(seconds=90)
        await run.run()
        [request] = run.model.asked
        assert (request.model, request.temperature) == ("asked/for", 0.5)
        assert [(m.role, m.content) for m in request.messages] == [("user", "hello")]
        assert request.total_timeout_seconds == 90


async def test_a_run_that_ended_leaves_nothing_behind() -> None:
    async with generating(["Hello", END]) as run:
        await run.run()
        assert run.platform.state(contract.component, RUN) == {}
        assert run.streams.places_taken == 0
        assert run.audience.followed[0] == RUN
        assert RUN in run.audience.ended


async def test_a_run_without_work_waits_for_a_place_then_asks_for_it() -> None:
    async with generating(["x", END], limit=1) as run:
        run.streams.admit("another")
        invocation = run.start(admitted=False)
        await run.platform.advance(60)
        assert not invocation.over
        assert (run.begun, run.model.asked) == ([], [])
        tries = invocation.journal.steps().count("admit")
        assert 60 / (5 * 1.5) < tries < 60 / (5 * 0.5) + 5
        await run.streams.close("another")
        await run.platform.advance(10)
        assert run.begun[0].run_id == RUN
        assert run.report().status is RunStatus.COMPLETED


async def test_a_run_that_nobody_wants_any_more_asks_no_model() -> None:
    async with generating(["x", END]) as run:
        run.work = None
        invocation = run.start()
        await run.platform.finish(invocation)
        assert run.model.asked == []
        assert run.platform.history == []
        assert run.streams.places_taken == 0


@both_lanes
async def test_an_attempt_that_fails_is_followed_by_another_that_starts_anew(
    suspends: bool,
) -> None:
    async with generating(["wrong", BUSY], ["right", END], suspends=suspends) as run:
        report = await run.run()
        assert (report.status, report.text, report.attempt) == (RunStatus.COMPLETED, "right", 2)
        [retried] = run.retried()
        assert retried.attempt == 2
        assert retried.error == wire.to_envelope(BUSY)["error"]


@both_lanes
async def test_the_last_failure_is_the_runs_when_the_bound_is_spent(suspends: bool) -> None:
    async with generating(["half", BUSY], attempts=3, suspends=suspends) as run:
        report = await run.run()
        assert (report.status, report.attempt) == (RunStatus.FAILED, 3)
        assert report.text == "half"
        assert report.error == wire.to_envelope(BUSY)["error"]
        assert len(run.model.asked) == 3
        assert [retried.attempt for retried in run.retried()] == [2, 3]


async def test_a_terminal_failure_is_not_tried_again() -> None:
    refused = reasons.MODERATED.error()
    async with generating([refused]) as run:
        report = await run.run()
        assert report.status is RunStatus.FAILED
        assert report.error is not None
        assert report.error["code"] == Code.CONTENT_FILTERED.value
        assert len(run.model.asked) == 1
        assert run.retried() == []


@pytest.mark.parametrize(("asked", "slept"), [(7, 7), (60, 60), (3600, 60)])
async def test_a_vendor_that_asks_for_time_gets_it_up_to_a_minute(asked: int, slept: int) -> None:
    async with generating([busy_for(asked)], ["x", END]) as run:
        before = run.platform.now
        await run.run()
        assert run.platform.now - before == pytest.approx(slept, abs=0.01)


async def test_pauses_double_with_jitter() -> None:
    async with generating([BUSY], attempts=5) as run:
        invocation = run.start()
        await run.platform.finish(invocation)
        pauses = [c.delay_seconds for c in invocation.journal.commands if c.kind == "sleep"]
        assert len(pauses) == 4
        for number, pause in enumerate(pauses):
            assert 0.25 * 2**number <= pause <= 0.75 * 2**number


async def test_no_attempt_begins_after_the_deadline() -> None:
    async with generating(["half", busy_for(50)], ["x", END]) as run:
        assert run.work is not None
        run.work.deadline = run.platform.time + timedelta(seconds=30)
        report = await run.run()
        assert (report.status, report.text) == (RunStatus.FAILED, "half")
        assert run.retried() == []


async def test_a_stop_before_there_is_a_place_ends_the_run_unasked() -> None:
    async with generating(["x", END], limit=1) as run:
        run.streams.admit("another")
        invocation = run.start(admitted=False)
        await run.platform.rest()
        await run.stop("no longer needed")
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.status, report.reason) == (RunStatus.CANCELLED, "no longer needed")
        assert (run.begun, run.model.asked) == ([], [])


@pytest.mark.parametrize("said", ["", "half an ans"], ids=["silent", "speaking"])
async def test_a_stop_closes_the_upstream_and_keeps_what_there_is(said: str) -> None:
    script: list[Line] = [said, asyncio.Event()] if said else [asyncio.Event()]
    async with generating(script) as run:
        invocation = run.start()
        await run.platform.until(lambda: run.model.open == 1)
        if said:
            await run.platform.until(lambda: "read" in invocation.journal.steps()[:-1])
        await run.stop("first")
        await run.stop("second")
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.status, report.text, report.reason) == (RunStatus.CANCELLED, said, "first")
        assert run.model.open == 0
        assert len(run.model.asked) == 1


async def test_a_stop_between_two_attempts_ends_the_run() -> None:
    """The thread knows of the second attempt already, so the report must be of that one."""
    async with generating(["half", busy_for(30)], ["x", END]) as run:
        invocation = run.start()
        await run.platform.until(lambda: bool(run.retried()))
        await run.platform.rest()
        await run.stop()
        await run.platform.finish(invocation)
        report = run.report()
        assert report.status is RunStatus.CANCELLED
        assert report.text == "half"
        assert report.attempt == run.retried()[-1].attempt
        assert len(run.model.asked) == 1


async def test_a_stop_that_comes_too_late_changes_nothing() -> None:
    async with generating(["Hello", END]) as run:
        await run.run()
        await run.stop()
        await run.platform.settle()
        assert run.report().status is RunStatus.COMPLETED


async def test_a_stop_that_comes_first_is_not_lost() -> None:
    """The thread's stop may overtake its start."""
    async with generating(["x", asyncio.Event()]) as run:
        await run.stop("at once")
        report = await run.run()
        assert (report.status, report.reason) == (RunStatus.CANCELLED, "at once")
        assert run.model.open == 0


@pytest.mark.parametrize("phase", ["admission", "silence", "text", "backoff"])
async def test_an_operators_cancel_is_a_stop(phase: str) -> None:
    scripts: dict[str, list[Line]] = {
        "admission": [END],
        "silence": [asyncio.Event()],
        "text": ["half", asyncio.Event()],
        "backoff": ["half", busy_for(30)],
    }
    async with generating(scripts[phase], limit=1) as run:
        if phase == "admission":
            run.streams.admit("another")
        invocation = run.start(admitted=phase != "admission")
        if phase != "admission":
            await run.platform.until(lambda: bool(run.model.asked))
        if phase == "text":
            await run.platform.until(lambda: len(invocation.journal.steps()) == 2)
        if phase in ("admission", "backoff"):
            await run.platform.until(
                lambda: "sleep" in {c.kind for c in invocation.journal.commands}
            )
        run.platform.cancel(invocation)
        await run.platform.finish(invocation)
        report = run.report()
        assert report.status is RunStatus.CANCELLED
        assert report.reason != ""
        assert report.text == ("half" if phase in ("text", "backoff") else "")
        assert run.model.open == 0


async def test_a_cancel_while_the_thread_is_asked_ends_the_run() -> None:
    """The call is cancelled first, and the run hears of it as the call's failure."""

    def cancelled(request: BeginRunRequest, key: str) -> BeginRunResponse:
        raise wire.from_failure("cancelled", 409, None)

    async with generating([END]) as run:
        run.platform.stub(conversation.begin_run, cancelled)
        report = await run.run(admitted=False)
        assert (report.status, report.attempt) == (RunStatus.CANCELLED, 0)
        assert run.model.asked == []


async def test_the_partial_grows_with_the_text_and_is_that_of_the_newest_attempt() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    async with generating(["old text", first, BUSY], ["né🫖", second, "w", END]) as run:
        assert await run.partial() == contract.PartialResponse(run_id=RUN)
        invocation = run.start()
        state = run.platform.state(contract.component, RUN)
        await run.platform.until(lambda: "chunk:0" in state)
        partial = await run.partial()
        assert (partial.text, partial.attempt, partial.offset) == ("old text", 1, 8)
        assert partial.message_id == "msg_answer"
        first.set()
        await run.platform.until(run.platform.wake_next)
        await run.platform.until(lambda: "🫖" in state.get("chunk:0", b"").decode())
        partial = await run.partial()
        assert (partial.text, partial.attempt, partial.offset) == ("né🫖", 2, 3)
        second.set()
        await run.platform.finish(invocation)
        assert await run.partial() == contract.PartialResponse(run_id=RUN)


async def test_a_lost_process_starts_a_new_attempt_and_says_so() -> None:
    async with generating(["from the first", asyncio.Event()], ["from the second", END]) as run:
        invocation = run.start()
        await run.platform.until(lambda: len(invocation.journal.steps()) == 2)
        run.streams.lose()
        run.platform.kill(invocation)
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.status, report.text) == (RunStatus.COMPLETED, "from the second")
        assert report.attempt == 2
        assert [retried.attempt for retried in run.retried()] == [2]
        assert {sent.key for sent in run.platform.history} == {THREAD}


async def test_a_lost_connection_to_restate_asks_the_model_once() -> None:
    """The process lives, so its stream is read on where it was."""
    pause = asyncio.Event()
    async with generating(["one ", pause, "two", END]) as run:
        invocation = run.start()
        await run.platform.until(lambda: len(invocation.journal.steps()) == 2)
        run.platform.kill(invocation)
        pause.set()
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.text, report.attempt) == ("one two", 1)
        assert len(run.model.asked) == 1
        assert invocation.attempts == 2


async def test_a_shutdown_that_closes_streams_passes_no_half_answer_for_a_whole_one() -> None:
    async with generating(["half", asyncio.Event()], ["whole", END]) as run:
        invocation = run.start()
        await run.platform.until(lambda: len(invocation.journal.steps()) == 2)
        run.streams.lose()
        await run.platform.finish(invocation)
        report = run.report()
        assert (report.status, report.text) == (RunStatus.COMPLETED, "whole")
        assert report.attempt == 2
        assert len(invocation.failures) == 1
