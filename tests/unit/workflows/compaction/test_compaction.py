"""A compaction from its request to the thread's record of it, whatever happens on the way."""

import pytest

from actors.conversation import contract as conversation
from actors.conversation.contract.ending import CloseRequest
from actors.conversation.contract.entry import CompactionTrigger
from actors.conversation.contract.thread import GenerationConfig, Settings
from errors import Code, RpcError
from services.completion.contract import BUSY
from services.openrouter import reasons
from tests.support.compactions import Compacting, history, talk
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.compaction import contract
from workflows.compaction.settings import CompactionSettings

pytestmark = pytest.mark.anyio


async def test_older_messages_are_summarised_and_the_answer_tells_what_that_saves() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open(settings=Settings(system_prompt="be brief"))
        await talk(thread, 20, "{} " + "and quite some more words " * 10)
        answer = await compacting.compact(thread)
        done = answer.compaction
        assert (await thread.state()).context_summary == "summary 1"
        assert done.trigger is CompactionTrigger.MANUAL
        assert done.messages_summarized == 40 - thread.settings.compaction_keeps
        assert done.tokens_before - done.tokens_after == done.tokens_saved > 1000
        assert (done.model, done.cost_usd, done.branch_id) == ("served/by", "0.01", "main")
        [page] = await thread.messages(200, oldest_first=True)
        assert page[done.messages_summarized - 1].message_id == done.up_to_message_id
        assert page[done.messages_summarized - 1].sequence == done.up_to_sequence
        assert len(page) == 40

        sent = await thread.send("now")
        asked = await thread.asked(sent.run_id)
        assert asked[0] == "be brief"
        assert asked[1].endswith("\n\nsummary 1")
        assert [text.split()[0] for text in asked[2:]] == [
            "q15", "a15", "q16", "a16", "q17", "a17", "q18", "a18", "q19", "a19", "now",
        ]  # fmt: skip


async def test_a_compaction_is_told_by_an_event_and_in_the_thread_and_its_cost_counts() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        done = (await compacting.compact(thread)).compaction
        event = (await thread.events())[-1]
        assert (event.type, event.compaction) == ("context.compacted", done)
        state = await thread.state()
        assert state.compactions == [done]
        assert state.context_summary == "summary 1"
        assert not state.compaction_running
        assert state.total_cost_usd == "0.01"
        assert state.total_usage is not None
        assert state.total_usage.total_tokens == 110


async def test_the_next_summary_is_made_of_the_one_before_and_what_came_after_it() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        await compacting.compact(thread)
        await talk(thread, 10, start=10)
        done = (await compacting.compact(thread)).compaction
        first, second = compacting.transcripts()
        assert "q0" in first
        assert "q5" not in first
        assert "<summary_so_far>\nsummary 1\n" in second
        assert "q4" not in second
        assert "q5" in second
        assert "q15" not in second
        assert done.messages_summarized == 20
        sent = await thread.send("now")
        assert (await thread.asked(sent.run_id))[0].endswith("summary 2")
        assert (await history(thread))[0] == done


async def test_a_long_thread_is_summarised_in_pieces_none_larger_than_the_bound() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        compacting = Compacting(platform, CompactionSettings(piece_tokens=2000))
        await thread.open()
        await talk(thread, 130, "{} " + "word " * 60)
        answer = await compacting.compact(thread)
        assert answer.compaction.messages_summarized == 250
        transcripts = compacting.transcripts()
        assert len(transcripts) > 5
        assert max(map(len, transcripts)) < 2000 * 6
        for number, text in enumerate(transcripts[1:], 1):
            assert f"<summary_so_far>\nsummary {number}\n" in text
        every = "".join(transcripts)
        assert [every.count(f"user: q{n} ") for n in range(125)] == [1] * 125
        assert (await thread.state()).context_summary == f"summary {len(transcripts)}"


async def test_with_nothing_to_compact_the_thread_says_so() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        with pytest.raises(RpcError) as none:
            await compacting.start(thread)
        await talk(thread, 5)
        with pytest.raises(RpcError) as few:
            await compacting.start(thread)
        await talk(thread, 5, start=5)
        await compacting.compact(thread)
        with pytest.raises(RpcError) as again:
            await compacting.start(thread)
        for raised in (none, few, again):
            assert raised.value.reason == "compaction.nothing"
            assert raised.value.code is Code.FAILED_PRECONDITION
        assert len(compacting.asked) == 1


async def test_two_at_once_are_one_and_a_lost_one_does_not_stand_in_the_way() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        lost = await compacting.start(thread)
        with pytest.raises(RpcError) as raised:
            await compacting.start(thread)
        assert raised.value.reason == "compaction.running"
        assert (await thread.state()).compaction_running
        platform.now += thread.settings.compaction_deadline_seconds + 1
        following = await compacting.start(thread)
        await platform.settle()
        # The lost one spoke after all; its word counts no more.
        with pytest.raises(RpcError) as late:
            await compacting.outcome(lost)
        assert late.value.reason in ("compaction.lost", "compaction.superseded")
        done = (await compacting.outcome(following)).compaction
        assert [each.compaction_id for each in await history(thread)] == [done.compaction_id]


async def test_a_model_that_fails_leaves_the_thread_as_it_was_and_its_error_is_told() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        told = await thread.told()
        for failure in (reasons.RATE_LIMITED.error(), reasons.NO_CREDITS.error()):
            compacting.failures = [failure]
            with pytest.raises(RpcError) as raised:
                await compacting.compact(thread)
            assert raised.value.reason == failure.reason
            assert raised.value.code is failure.code
            assert raised.value.is_terminal == failure.is_terminal
        assert await thread.told() == told
        state = await thread.state()
        assert (state.compactions, state.compaction_running) == ([], False)
        sent = await thread.send("now")
        assert (await thread.asked(sent.run_id))[0] == "q0"
        assert (await compacting.compact(thread)).compaction.messages_summarized == 10


async def test_an_empty_summary_is_a_failure() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        compacting.says = " \n"
        await thread.open()
        await talk(thread, 10)
        with pytest.raises(RpcError) as raised:
            await compacting.compact(thread)
        assert raised.value.reason == contract.EMPTY.word
        assert (await thread.state()).total_cost_usd == "0.01"


async def test_it_waits_for_a_place_among_the_streams() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        compacting.failures = [BUSY.error(), BUSY.error()]
        await thread.open()
        await talk(thread, 10)
        compaction_id = await compacting.start(thread)
        await platform.advance(10)
        await compacting.outcome(compaction_id)
        assert (await thread.state()).context_summary == "summary 3"


async def test_a_window_that_was_not_known_makes_the_pieces_smaller() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        compacting.failures = [reasons.CONTEXT_EXCEEDED.error()] * 2
        await thread.open()
        await talk(thread, 100, "{} " + "word " * 200)
        assert (await compacting.compact(thread)).compaction.messages_summarized == 190
        sizes = [len(text) for text in compacting.transcripts()]
        assert sizes[1] < sizes[0] * 0.6
        assert sizes[2] < sizes[1] * 0.6


async def test_the_model_and_what_it_is_told_are_the_threads_choice() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        managed = {"summary_model": "cheap/one", "instructions": "Keep every price."}
        settings = Settings.model_validate({"context_management": managed})
        await thread.open(settings=settings, config=GenerationConfig(model="dear/one"))
        await talk(thread, 10)
        await compacting.compact(thread)
        [asked] = compacting.asked
        assert asked.generation_config is not None
        assert asked.generation_config.model == "cheap/one"
        assert asked.messages[0].content.endswith("Keep every price.")


async def test_a_thread_that_is_deleted_meanwhile_lets_nobody_wait() -> None:
    async with FakePlatform() as platform:
        thread, compacting = Conversation(platform), Compacting(platform)
        await thread.open()
        await talk(thread, 10)
        compaction_id = await compacting.start(thread)
        await platform.call(conversation.close, CloseRequest(), key=thread.key)
        await platform.settle()
        with pytest.raises(RpcError) as raised:
            await compacting.outcome(compaction_id)
        assert raised.value.reason == "thread.not_found"


async def test_a_compaction_survives_every_crash() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        compacting = Compacting(platform, CompactionSettings(piece_tokens=500))
        compacting.says = "the summary"
        await thread.open()
        await talk(thread, 8, "{} " + "word " * 60)
        compaction_id = await compacting.start(thread)
        await platform.settle()
        answer = await compacting.outcome(compaction_id)
        sent = await thread.send("now")
        asked = await thread.asked(sent.run_id)
        assert asked[0].endswith("the summary")
        return answer.to_json(), await thread.told(), asked

    await survives_every_crash(story)
