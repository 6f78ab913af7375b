"""When a thread is compacted by itself, and for which branch its summaries stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from actors.conversation import context, contract
from actors.conversation.contract.context import ContextManagement, ContextStrategy
from actors.conversation.contract.entry import CompactionTrigger
from actors.conversation.contract.run import FinishRunRequest, RunStatus, Work
from actors.conversation.contract.thread import (
    Budget,
    GenerationConfig,
    InterruptPolicy,
    Settings,
)
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import Head
from errors import RpcError
from services.openrouter import reasons
from tests.support.compactions import Compacting, history, talk
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform
from workflows.compaction import contract as compaction
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio

WINDOW = 10_000


@dataclass
class Facts:
    """A model with a window."""

    id: str = "m"
    context_length: int = WINDOW
    max_completion_tokens: int = 0
    supported_parameters: tuple[str, ...] = ()
    pricing: Mapping[str, str] = field(default_factory=dict[str, str])


class Listed:
    """Every model exists and has that window."""

    def first_unknown(self, models: list[str]) -> str | None:
        """See `Models`."""
        return next((model for model in models if model == "no/such"), None)

    def facts(self, model: str) -> Facts | None:
        """See `Models`."""
        return Facts(model)


def managed(strategy: ContextStrategy, **more: object) -> Settings:
    """Settings with a strategy."""
    values = {"strategy": strategy, **more}
    return Settings(context_management=ContextManagement.model_validate(values))


SUMMARIZE = managed(ContextStrategy.SUMMARIZE, keep_last=4)


async def finished(thread: Conversation, run_id: str, tokens: int, **more: object) -> None:
    """The workflow reports an answer and the size of its context."""
    values = {
        "run_id": run_id, "attempt": 1, "status": RunStatus.COMPLETED, "at": thread.platform.time,
        "text": "answer", "model": "openai/gpt-4o-mini", "context_tokens": tokens, **more,
    }  # fmt: skip
    request = FinishRunRequest.model_validate(values)
    await thread.platform.call(contract.finish_run, request, key=thread.key)


async def work_of(thread: Conversation, run_id: str) -> Work:
    """What a run's workflow was given."""
    work = dict(thread.platform.sent(generation.run))[run_id].work
    assert work is not None
    return work


async def head_of(thread: Conversation) -> Head:
    """The record of the thread."""
    return Head.from_json(thread.platform.state(contract.component, thread.key)["head"])


async def test_a_run_that_crossed_the_threshold_has_the_thread_compacted() -> None:
    async with FakePlatform() as platform:
        thread, _compacting = Conversation(platform, listed=Listed()), Compacting(platform)
        await thread.open(settings=SUMMARIZE)
        await talk(thread, 4)
        below = await thread.send("below")
        await finished(thread, below.run_id, int(WINDOW * 0.8) - 1)
        assert platform.sent(compaction.run) == []
        above = await thread.send("above")
        await finished(thread, above.run_id, int(WINDOW * 0.8))
        await platform.settle()
        [done] = await history(thread)
        assert done.trigger is CompactionTrigger.AUTOMATIC
        assert done.messages_summarized == 8
        assert done.tokens_before == pytest.approx(done.tokens_after + done.tokens_saved)
        sent = await thread.send("now")
        asked = await thread.asked(sent.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[1:] == ["below", "answer", "above", "answer", "now"]


@pytest.mark.parametrize(
    "told",
    [
        {"context_dropped": 1},
        {
            "status": RunStatus.FAILED,
            "error": {"code": "CONTEXT_LENGTH_EXCEEDED", "message": "too long"},
        },
    ],
    ids=["messages were left out", "the model refused it"],
)
async def test_a_context_that_did_not_fit_is_compacted(told: dict[str, object]) -> None:
    async with FakePlatform() as platform:
        thread, _ = Conversation(platform, listed=Listed()), Compacting(platform)
        await thread.open(settings=SUMMARIZE)
        await talk(thread, 4)
        sent = await thread.send("now")
        await finished(thread, sent.run_id, 10, **told)
        await platform.settle()
        assert len(await history(thread)) == 1


async def test_many_small_messages_are_compacted_before_one_finds_no_room() -> None:
    async with FakePlatform() as platform:
        settings = ConversationSettings(summarized_context=20)
        thread, _ = Conversation(platform, settings=settings), Compacting(platform)
        await thread.open(settings=SUMMARIZE)
        for number in range(40):
            await talk(thread, 1, start=number)
            await platform.settle()
        done = await history(thread)
        assert len(done) >= 4
        sent = await thread.send("now")
        asked = await thread.asked(sent.run_id)
        kept = [text for text in asked[1:-1] if text.startswith("q")]
        last = 40 - len(kept)
        assert kept == [f"q{n}" for n in range(last, 40)]
        summarised = sum(each.messages_summarized for each in done)
        assert summarised == last * 2


@pytest.mark.parametrize("strategy", [ContextStrategy.KEEP_LAST, ContextStrategy.NONE])
async def test_other_strategies_do_not_compact_by_themselves(strategy: ContextStrategy) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=Listed())
        await thread.open(settings=managed(strategy))
        await talk(thread, 4)
        sent = await thread.send("now")
        await finished(thread, sent.run_id, WINDOW, context_dropped=3)
        assert platform.sent(compaction.run) == []


async def test_nothing_is_compacted_by_itself_when_the_budget_is_spent() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform, listed=Listed()), Compacting(platform)
        config = GenerationConfig(budget=Budget(thread_usd="1"))
        await thread.open(settings=SUMMARIZE, config=config)
        await talk(thread, 4)
        sent = await thread.send("now")
        await finished(thread, sent.run_id, WINDOW, cost_usd="1")
        assert platform.sent(compaction.run) == []
        with pytest.raises(RpcError) as raised:
            await compacting.start(thread)
        assert raised.value.reason == "budget.spent"


async def test_a_failed_automatic_compaction_is_tried_again_after_the_next_run() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform, listed=Listed()), Compacting(platform)
        compacting.failures = [reasons.UNAVAILABLE.error()]
        await thread.open(settings=SUMMARIZE)
        await talk(thread, 4)
        for expected in (0, 1):
            sent = await thread.send("now")
            await finished(thread, sent.run_id, WINDOW)
            await platform.settle()
            assert len(await history(thread)) == expected


async def test_messages_of_runs_that_may_still_be_rolled_back_are_not_summarised() -> None:
    async with FakePlatform() as platform:
        settings = ConversationSettings(compaction_keeps=1)
        thread, compacting = Conversation(platform, settings=settings), Compacting(platform)
        await thread.open()
        await talk(thread, 3)
        active = await thread.send("active")
        waiting = await thread.send("waiting")
        compaction_id = await compacting.start(thread)
        rolled = await thread.send("instead", policy=InterruptPolicy.ROLLBACK)
        await thread.finish(active.run_id, "partial", RunStatus.CANCELLED)
        await platform.settle()
        done = (await compacting.outcome(compaction_id)).compaction
        # The newest turn that was settled stays: two whole turns went.
        assert done.messages_summarized == 4
        assert "active" not in compacting.transcripts()[0]
        await thread.finish(waiting.run_id, "waited")
        asked = await thread.asked(rolled.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[1:] == ["q2", "a2", "waiting", "waited", "instead"]


async def test_a_run_that_was_active_meanwhile_changes_nothing_for_either() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        sent = await thread.send("meanwhile")
        done = (await compacting.compact(thread)).compaction
        assert done.messages_summarized == 10
        await thread.finish(sent.run_id, "said")
        following = await thread.send("now")
        asked = await thread.asked(following.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[-3:] == ["meanwhile", "said", "now"]
        assert asked[1] == "q5"


async def test_a_branch_from_before_the_end_of_a_summary_does_without_it() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        await compacting.compact(thread)
        [messages] = await thread.messages(200, oldest_first=True)
        early, late = messages[4].message_id, messages[14].message_id

        edited = await thread.edit(early, "instead")
        assert await thread.asked(edited.run_id) == ["q0", "a0", "q1", "a1", "instead"]
        assert (await thread.state()).context_summary == ""
        await thread.finish(edited.run_id)

        await thread.choose("main")
        assert (await thread.state()).context_summary == "summary 1"
        anew = await thread.regenerate(late)
        asked = await thread.asked(anew.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[1:] == ["q5", "a5", "q6", "a6", "q7"]
        await thread.finish(anew.run_id)


async def test_each_branch_has_the_summary_that_reaches_furthest_on_it() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        await compacting.compact(thread)  # of q0 to q4
        await talk(thread, 10, start=10)
        await compacting.compact(thread)  # of q0 to q14
        [messages] = await thread.messages(200, oldest_first=True)
        anew = await thread.regenerate(messages[16].message_id)  # of q8
        asked = await thread.asked(anew.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[1] == "q5"
        await thread.finish(anew.run_id, "another a8")
        await talk(thread, 10, start=20)
        done = (await compacting.compact(thread)).compaction  # of q5 to q8, then q20 to q24
        assert done.branch_id == "branch-1"
        assert "summary 1" in compacting.transcripts()[2]
        assert "another a8" in compacting.transcripts()[2]
        assert "q9" not in compacting.transcripts()[2]
        assert (await thread.state()).context_summary == "summary 3"
        await thread.choose("main")
        assert (await thread.state()).context_summary == "summary 2"


async def test_keep_last_shows_the_summary_and_the_newest_messages() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open(settings=Settings(keep_last=4))
        await talk(thread, 10)
        assert (await compacting.compact(thread)).compaction.messages_summarized == 16
        sent = await thread.send("now")
        asked = await thread.asked(sent.run_id)
        assert asked[0].endswith("summary 1")
        assert asked[1:] == ["a8", "q9", "a9", "now"]


async def test_the_context_of_a_run_names_what_the_model_told_of_its_beginning() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=Listed())
        await thread.open(settings=Settings(system_prompt="be brief"))
        first = await thread.send("one")
        assert (await work_of(thread, first.run_id)).known_messages == 0
        await finished(thread, first.run_id, 321)
        second = await thread.send("two")
        work = await work_of(thread, second.run_id)
        # The system prompt, the question and its answer.
        assert (work.known_tokens, work.known_messages, work.pinned) == (321, 3, 1)
        assert work.prompt_limit == WINDOW - WINDOW // 4
        await finished(thread, second.run_id, 0)
        await thread.update_settings(Settings(system_prompt="be long"))
        third = await thread.send("three")
        assert (await work_of(thread, third.run_id)).known_messages == 0


async def test_without_a_strategy_that_leaves_anything_out_a_thread_may_be_too_long() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=Listed())
        await thread.open(settings=managed(ContextStrategy.NONE))
        await talk(thread, 30)
        sent = await thread.send("now")
        work = await work_of(thread, sent.run_id)
        assert len(work.context) == 61
        assert work.prompt_limit == 0
        assert not work.overflow


async def test_a_thread_longer_than_any_context_is_said_to_be_so_only_without_a_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "_MOST", 10)
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=managed(ContextStrategy.NONE))
        await talk(thread, 6)
        assert (await work_of(thread, (await thread.send("now")).run_id)).overflow
        kept = Conversation(platform, key="acme/alice/kept")
        await kept.open()
        await talk(kept, 6)
        assert not (await work_of(kept, (await kept.send("now")).run_id)).overflow


async def test_summaries_that_no_mark_names_are_forgotten_and_the_newest_stay() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        for number in range(12):
            await talk(thread, 8, start=number * 8)
            await compacting.compact(thread)
        stored = platform.state(contract.component, thread.key)
        kept = sorted(key for key in stored if key.startswith("summary:"))
        assert kept == sorted(f"summary:{n}" for n in range(5, 13))
        assert len((await head_of(thread)).marks) == 8
        assert len(await history(thread)) == 12


async def test_a_summary_model_that_does_not_exist_is_refused() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=Listed())
        unknown = managed(ContextStrategy.SUMMARIZE, summary_model="no/such")
        with pytest.raises(RpcError) as opening:
            await thread.open(settings=unknown)
        await thread.open()
        with pytest.raises(RpcError) as updating:
            await thread.update_settings(unknown)
        assert opening.value.reason == updating.value.reason == "model.unknown"
        kept = await thread.update_settings(SUMMARIZE)
        assert kept.context_management == SUMMARIZE.context_management
        assert (await thread.state()).settings == kept
        assert (await thread.update_settings(Settings(), "context_management")) == Settings()
