"""Branches: what each shows, what its runs see, and what going between them costs."""

import pytest

from actors.conversation import contract
from actors.conversation.contract.branch import BranchKind, ListBranchesRequest
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import InterruptPolicy
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


async def talked(thread: Conversation, *texts: str) -> list[str]:
    """Ask these and answer each with the same in capitals; the ids of the questions."""
    asked: list[str] = []
    for text in texts:
        sent = await thread.send(text)
        await thread.finish(sent.run_id, text.upper())
        asked.append(sent.message_id)
    return asked


async def answers(thread: Conversation) -> dict[str, str]:
    """Ids of all messages of the active branch by their content."""
    return {m.content: m.message_id for m in (await thread.state()).messages}


async def test_an_answer_made_anew_begins_a_branch_and_the_old_one_stays_readable() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        one, _ = await talked(thread, "one", "two")
        again = await thread.regenerate(one)
        assert (again.status, again.message_id) == (RunStatus.RUNNING, one)
        assert await thread.asked(again.run_id) == ["one"]
        await thread.finish(again.run_id, "another")
        assert await thread.said() == ["one", "another"]
        assert await thread.read("main") == ["one", "ONE", "two", "TWO"]
        assert (await thread.state()).active_branch_id == again.branch_id
        run = await thread.run(again.run_id)
        assert (run.branch_id, run.message_id) == (again.branch_id, one)


async def test_an_answer_is_made_anew_by_its_own_id_too() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await talked(thread, "one", "two")
        again = await thread.regenerate((await answers(thread))["TWO"])
        assert await thread.asked(again.run_id) == ["one", "ONE", "two"]


async def test_an_edited_message_takes_the_place_of_the_old_one() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        _, two, _ = await talked(thread, "one", "two", "three")
        edited = await thread.edit(two, "2")
        assert edited.message_id != two
        assert await thread.asked(edited.run_id) == ["one", "ONE", "2"]
        await thread.finish(edited.run_id, "II")
        following = await thread.send("3")
        assert await thread.asked(following.run_id) == ["one", "ONE", "2", "II", "3"]
        assert await thread.read() == ["one", "ONE", "2", "II", "3"]
        assert await thread.read("main") == ["one", "ONE", "two", "TWO", "three", "THREE"]


async def test_readers_hear_of_branches() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        edited = await thread.edit(one, "1")
        await thread.finish(edited.run_id)
        again = await thread.regenerate(edited.message_id)
        await thread.choose("main")
        told = [
            (event.type, event.branch_id, event.message_id, event.run_id)
            for event in await thread.events()
            if event.type.startswith("branch.")
        ]
        assert told == [
            ("branch.created", "branch-1", one, ""),
            ("branch.created", "branch-2", edited.message_id, again.run_id),
            ("branch.chosen", "main", "", ""),
        ]
        kinds = [
            (b.branch_id, b.parent_branch_id, b.kind, b.active) for b in await thread.branches()
        ]
        assert kinds == [
            ("branch-2", "branch-1", BranchKind.REGENERATE, False),
            ("branch-1", "main", BranchKind.EDIT, False),
            ("main", "", BranchKind.BRANCH_KIND_UNSPECIFIED, True),
        ]


async def test_a_chosen_branch_goes_on_where_it_was_left() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        one, _ = await talked(thread, "one", "two")
        edited = await thread.edit(one, "1")
        await thread.finish(edited.run_id, "I")
        assert (await thread.choose("main")).active
        assert await thread.said() == ["one", "ONE", "two", "TWO"]
        sent = await thread.send("three")
        assert await thread.asked(sent.run_id) == ["one", "ONE", "two", "TWO", "three"]
        await thread.finish(sent.run_id, "THREE")
        await thread.choose(edited.branch_id)
        sent = await thread.send("2")
        assert await thread.asked(sent.run_id) == ["1", "I", "2"]


async def test_a_run_answers_where_it_was_started() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        two, three = await thread.send("two"), await thread.send("three")
        edited = await thread.edit(one, "1")
        assert edited.status is RunStatus.QUEUED
        await thread.finish(two.run_id, "TWO")
        assert await thread.asked(three.run_id) == ["one", "ONE", "two", "TWO", "three"]
        await thread.finish(three.run_id, "THREE")
        assert await thread.asked(edited.run_id) == ["1"]
        await thread.finish(edited.run_id, "I")
        assert await thread.said() == ["1", "I"]
        assert sorted(await thread.read("main")) == sorted(
            ["one", "ONE", "two", "TWO", "three", "THREE"]
        )


async def test_a_waiting_message_that_is_edited_knows_the_answers_to_come() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, waiting = await thread.send("one"), await thread.send("two")
        edited = await thread.edit(waiting.message_id, "2")
        await thread.finish(first.run_id, "ONE")
        await thread.finish(waiting.run_id, "TWO")
        assert await thread.asked(edited.run_id) == ["one", "ONE", "2"]


async def test_going_to_and_fro_keeps_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        again = await thread.regenerate(one)
        await thread.finish(again.run_id, "1")
        for _ in range(2):
            for branch in ("main", "branch-1"):
                await thread.choose(branch)
        keys = set(platform.state(contract.component, thread.key))
        for _ in range(5):
            for branch in ("main", "branch-1"):
                assert (await thread.choose(branch)).branch_id == branch
        later = set(platform.state(contract.component, thread.key))
        assert {key for key in later - keys if not key.startswith("log:")} == set()
        assert await thread.said() == ["one", "1"]


async def test_choosing_the_active_branch_tells_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await talked(thread, "one")
        before = dict(platform.state(contract.component, thread.key))
        assert (await thread.choose("main")).active
        assert platform.state(contract.component, thread.key) == before


@pytest.mark.parametrize(
    "named", ["", "branch-0", "branch-2", "branch-01", "branch--1", "main ", "x"]
)
async def test_a_branch_that_does_not_exist_is_not_found(named: str) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        await thread.regenerate(one)
        with pytest.raises(RpcError) as refused:
            await thread.choose(named)
        assert refused.value.code is Code.NOT_FOUND
        assert refused.value.reason == contract.BRANCH_NOT_FOUND.word


async def test_a_message_that_does_not_exist_is_neither_answered_nor_edited() -> None:
    async with FakePlatform() as platform:
        thread, other = Conversation(platform), Conversation(platform, key="acme/bob/x")
        await thread.open()
        await other.open()
        [theirs] = await talked(other, "theirs")
        for named in ("msg_x", theirs):
            for attempt in (thread.regenerate(named), thread.edit(named, "x")):
                with pytest.raises(RpcError) as refused:
                    await attempt
                assert refused.value.reason == contract.MESSAGE_NOT_FOUND.word
        assert await thread.told() == []


async def test_only_what_the_user_said_is_edited() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await talked(thread, "one")
        with pytest.raises(RpcError) as refused:
            await thread.edit((await answers(thread))["ONE"], "mine")
        assert refused.value.code is Code.FAILED_PRECONDITION
        assert refused.value.reason == contract.NOT_THE_USERS.word


async def test_a_message_that_was_rolled_back_is_gone() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first = await thread.send("one")
        await thread.send("two", policy=InterruptPolicy.ROLLBACK)
        await thread.finish(first.run_id, "half", RunStatus.CANCELLED)
        with pytest.raises(RpcError) as refused:
            await thread.regenerate(first.message_id)
        assert refused.value.reason == contract.MESSAGE_NOT_FOUND.word


async def test_policies_hold_for_branches_too() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        active = await thread.send("two")
        before = dict(platform.state(contract.component, thread.key))
        for attempt in (
            thread.regenerate(one, InterruptPolicy.REJECT),
            thread.edit(one, "1", policy=InterruptPolicy.REJECT),
        ):
            with pytest.raises(RpcError) as refused:
                await attempt
            assert refused.value.reason == contract.THREAD_BUSY.word
        assert platform.state(contract.component, thread.key) == before
        again = await thread.regenerate(active.message_id, InterruptPolicy.INTERRUPT)
        assert [key for key, _ in platform.sent(generation.stop)] == [active.run_id]
        await thread.finish(active.run_id, "half", RunStatus.CANCELLED)
        assert await thread.asked(again.run_id) == ["one", "ONE", "two"]


async def test_a_rolled_back_answer_anew_leaves_the_question() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        again = await thread.regenerate(one)
        after = await thread.send("two", policy=InterruptPolicy.ROLLBACK)
        await thread.finish(again.run_id, "half", RunStatus.CANCELLED)
        assert await thread.asked(after.run_id) == ["one", "two"]


async def test_a_repeated_edit_answers_the_run_that_it_started() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        edited = await thread.edit(one, "1", "id")
        assert await thread.edit(one, "1", "id") == edited
        with pytest.raises(RpcError) as refused:
            await thread.edit(one, "other", "id")
        assert refused.value.reason == contract.MESSAGE_ID_REUSED.word
        assert len(await thread.branches()) == 2


async def test_runs_of_all_branches_are_listed() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        again = await thread.regenerate(one)
        await thread.finish(again.run_id)
        edited = await thread.edit(one, "1")
        runs = await thread.runs()
        assert [run.branch_id for run in runs] == ["branch-2", "branch-1", "main"]
        assert [run.run_id for run in runs][:2] == [edited.run_id, again.run_id]


async def test_branches_are_listed_page_by_page() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        [one] = await talked(thread, "one")
        for _ in range(4):
            again = await thread.regenerate(one)
            await thread.finish(again.run_id)
        found: list[str] = []
        token = ""
        while True:
            request = ListBranchesRequest(page_size=2, page_token=token)
            page = await platform.call(contract.list_branches, request, key=thread.key)
            found += [branch.branch_id for branch in page.branches]
            token = page.next_page_token
            if not token:
                break
        assert found == ["branch-4", "branch-3", "branch-2", "branch-1", "main"]


async def test_a_branch_costs_the_same_however_much_others_said() -> None:
    """Counted in what is read and written, not in time."""
    costs: list[int] = []
    for length in (20, 200):
        async with FakePlatform() as platform:
            thread = Conversation(platform)
            await thread.open()
            [one, *_] = await talked(thread, *(str(number) for number in range(length)))
            before = platform.stored
            edited = await thread.edit(one, "edited")
            await thread.finish(edited.run_id, "EDITED")
            sent = await thread.send("next")
            assert await thread.asked(sent.run_id) == ["edited", "EDITED", "next"]
            assert await thread.said() == ["edited", "EDITED", "next"]
            costs.append(platform.stored - before)
    assert costs[1] <= costs[0] + 4


async def test_a_message_that_is_edited_often_makes_no_long_way() -> None:
    costs: list[int] = []
    for times in (3, 40):
        async with FakePlatform() as platform:
            thread = Conversation(platform)
            await thread.open()
            _, named = await talked(thread, "before", "0")
            for number in range(1, times):
                edited = await thread.edit(named, str(number))
                await thread.finish(edited.run_id, f"answer {number}")
                named = edited.message_id
            before = platform.stored
            sent = await thread.send("next")
            last = [str(times - 1), f"answer {times - 1}"]
            assert await thread.asked(sent.run_id) == ["before", "BEFORE", *last, "next"]
            costs.append(platform.stored - before)
    assert costs[1] <= costs[0] + 4


async def test_branches_survive_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send("one" * 2000)
        waiting = await thread.send("two")
        edited = await thread.edit(waiting.message_id, "2", "id")
        await thread.finish(sent.run_id, "ONE")
        again = await thread.regenerate(sent.message_id, InterruptPolicy.ROLLBACK)
        chosen = await thread.choose("main")
        await thread.finish(waiting.run_id, "half", RunStatus.CANCELLED)
        return [edited, again, chosen, await thread.state(), await thread.events()]

    assert await survives_every_crash(story) > 60
