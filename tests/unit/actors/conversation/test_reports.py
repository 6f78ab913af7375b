"""What workflows report, and what the watchdog does when they are silent."""

from collections.abc import Awaitable, Callable

import pytest

from actors.conversation import contract
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import CheckRunRequest, RunStatus
from actors.conversation.contract.thread import ThreadStatus
from errors import wire
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio

Report = Callable[[Conversation, str], Awaitable[object]]

REPORTS: dict[str, Report] = {
    "begin": lambda thread, run: thread.begin(run),
    "retrying": lambda thread, run: thread.retrying(run, 9),
    "completed": lambda thread, run: thread.finish(run, "late", attempt=9),
    "failed": lambda thread, run: thread.finish(run, "late", RunStatus.FAILED, attempt=9),
    "cancelled": lambda thread, run: thread.finish(run, "late", RunStatus.CANCELLED, attempt=0),
    "watchdog": lambda thread, run: thread.check(run),
}
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


def story_of(thread: Conversation) -> dict[str, bytes]:
    """Everything that is stored of a thread."""
    return dict(thread.platform.state(contract.component, thread.key))


async def test_a_finished_run_has_its_answer_and_its_record() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
        await thread.finish(sent.run_id, "hi", usage=usage, cost="0.002")
        run = await thread.run(sent.run_id)
        answer = (await thread.state()).messages[-1]
        assert (run.status, run.usage, run.cost_usd) == (RunStatus.COMPLETED, usage, "0.002")
        assert (answer.content, answer.partial, answer.run_id) == ("hi", False, sent.run_id)
        assert run.answer_message_id == answer.message_id
        assert run.message_id == sent.message_id
        assert run.attempts == 1
        assert await thread.told() == [
            "message.created", "run.started", "message.completed", "run.completed",
        ]  # fmt: skip


async def test_a_failed_run_keeps_what_there_is_of_its_answer_and_the_error() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        error = wire.to_envelope(contract.QUEUE_FULL.error())["error"]
        await thread.finish(sent.run_id, "hal", RunStatus.FAILED, error=error)
        assert (await thread.run(sent.run_id)).error == error
        assert (await thread.state()).messages[-1].partial
        assert (await thread.events())[-1].error == error


async def test_a_run_without_text_brings_no_message() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await thread.finish(sent.run_id, "", RunStatus.FAILED)
        assert (await thread.run(sent.run_id)).answer_message_id == ""
        assert await thread.told() == ["message.created", "run.started", "run.failed"]


@every_report
async def test_a_report_of_a_settled_run_changes_nothing(report: Report) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        settled, active = await thread.send(), await thread.send()
        await thread.finish(settled.run_id)
        before, sends = story_of(thread), len(platform.history)
        await report(thread, settled.run_id)
        assert story_of(thread) == before
        assert len(platform.history) == sends
        assert (await thread.state()).active_run_id == active.run_id


@every_report
async def test_a_report_of_a_run_that_waits_changes_nothing(report: Report) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await thread.send()
        queued = await thread.send()
        before, sends = story_of(thread), len(platform.history)
        await report(thread, queued.run_id)
        assert story_of(thread) == before
        assert len(platform.history) == sends


@every_report
async def test_a_report_of_a_run_that_never_was_changes_nothing(report: Report) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await thread.send()
        before, sends = story_of(thread), len(platform.history)
        await report(thread, "run_unknown")
        assert story_of(thread) == before
        assert len(platform.history) == sends


async def test_a_report_of_an_older_attempt_changes_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await thread.retrying(sent.run_id, 3)
        before = story_of(thread)
        await thread.retrying(sent.run_id, 2)
        await thread.retrying(sent.run_id, 3)
        await thread.finish(sent.run_id, "old", attempt=2)
        assert story_of(thread) == before
        await thread.finish(sent.run_id, "new", attempt=3)
        run = await thread.run(sent.run_id)
        assert (run.status, run.attempts) == (RunStatus.COMPLETED, 3)
        assert (await thread.state()).messages[-1].content == "new"


async def test_a_new_attempt_is_told_once_with_its_number() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await thread.retrying(sent.run_id, 2)
        retried = (await thread.events())[-1]
        assert (retried.type, retried.attempt, retried.run_id) == ("run.retrying", 2, sent.run_id)


async def test_a_run_that_is_lost_fails_and_the_queue_goes_on() -> None:
    """Within its deadline plus the grace, by one reminder, and so does the next."""
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        lost, following = await thread.send(), await thread.send()
        await platform.advance(thread.deadline.total_seconds() - 1)
        assert (await thread.run(lost.run_id)).status is RunStatus.RUNNING
        await platform.advance(2)
        run = await thread.run(lost.run_id)
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert run.error["details"]["reason"] == contract.RUN_LOST.word
        assert (await thread.state()).active_run_id == following.run_id
        assert [key for key, _ in platform.sent(generation.run)][-1] == following.run_id

        await platform.advance(thread.deadline.total_seconds() + 1)
        assert (await thread.run(following.run_id)).status is RunStatus.FAILED
        assert (await thread.state()).status is ThreadStatus.IDLE


async def test_a_run_that_started_late_gets_its_whole_deadline() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second = await thread.send(), await thread.send()
        await platform.advance(600)
        await thread.finish(first.run_id)
        await platform.advance(thread.deadline.total_seconds() - 1)
        assert (await thread.run(second.run_id)).status is RunStatus.RUNNING
        await platform.advance(2)
        assert (await thread.run(second.run_id)).status is RunStatus.FAILED


async def test_one_reminder_is_outstanding_while_a_run_is_active_and_none_otherwise() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        for _ in range(5):
            sent = await thread.send()
            await thread.finish(sent.run_id)
        assert len(platform.sent(contract.check_run)) == 1
        await platform.advance(2 * thread.deadline.total_seconds())
        assert platform.sent(contract.check_run) == [(thread.key, CheckRunRequest())]
        sent = await thread.send()
        assert len(platform.sent(contract.check_run)) == 2
        await thread.finish(sent.run_id)


async def test_reports_survive_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform, free=False)
        await thread.open()
        first, second = await thread.send(), await thread.send()
        begun = await thread.begin(first.run_id)
        await thread.retrying(first.run_id, 2)
        await thread.finish(first.run_id, "answer " * 1000, attempt=2)
        await thread.begin(second.run_id)
        await platform.advance(thread.deadline.total_seconds() + 1)
        return [begun, await thread.state(), await thread.events()]

    assert await survives_every_crash(story) > 40
