"""Reading a thread page by page, against the plain list of what was said."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation import contract
from actors.conversation.contract.entry import ChatMessage
from actors.conversation.contract.events import ReadEventsRequest
from actors.conversation.contract.run import ListMessagesRequest, ListRunsRequest, RunStatus
from actors.conversation.contract.thread import GetStateRequest
from actors.conversation.state import PAGE_SIZE, SPILL_BYTES
from chassis.message import Message
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.rpc import Rpc
from errors import Code, RpcError
from tests.support.conversations import KEY, Conversation
from tests.support.fake_platform import FakePlatform
from tests.support.threads import Said, WrittenThread

pytestmark = pytest.mark.anyio

LARGE = "ü" * SPILL_BYTES

# A thread as a list of deeds: True asks, False answers what is asked; some contents are large.
deeds = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["", "short", LARGE])), max_size=5 * PAGE_SIZE
)
sizes = st.integers(1, 40)


def play(
    story: list[tuple[bool, str]], check: Callable[[WrittenThread, Conversation], Awaitable[None]]
) -> None:
    """Write a thread and look at it."""

    async def run() -> None:
        async with FakePlatform() as platform:
            conversation = Conversation(platform)
            thread = WrittenThread(platform, KEY)
            for asks, content in story:
                if asks:
                    thread.ask(content or "something")
                else:
                    thread.answer(content)
            await check(thread, conversation)

    asyncio.run(run())


def shown(message: ChatMessage) -> Said:
    return Said(message.content, message.role, message.run_id, message.sequence)


@given(story=deeds, size=sizes, oldest_first=st.booleans())
@settings(max_examples=60, deadline=None)
def test_pages_from_either_end_show_every_message_once_in_order(
    story: list[tuple[bool, str]], size: int, oldest_first: bool
) -> None:
    async def check(thread: WrittenThread, conversation: Conversation) -> None:
        pages = await conversation.messages(size, oldest_first=oldest_first)
        said = thread.said if oldest_first else thread.said[::-1]
        assert [shown(message) for page in pages for message in page] == said
        assert all(len(page) == size for page in pages[:-1])
        assert pages[-1] or not said, "the last page of a thread with messages is empty"

    play(story, check)


@given(story=deeds, limit=sizes, after=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_events_are_gapless_from_wherever_one_reads(
    story: list[tuple[bool, str]], limit: int, after: int
) -> None:
    async def check(thread: WrittenThread, conversation: Conversation) -> None:
        every = await conversation.events()
        assert [event.sequence for event in every] == list(range(1, len(every) + 1))
        contents = [event.message.content for event in every if event.message]
        assert contents == [said.content for said in thread.said]
        if after <= len(every):
            request = ReadEventsRequest(after=after, limit=limit)
            read = await conversation.platform.call(contract.read_events, request, key=KEY)
            assert read.events == every[after : after + limit]
            assert read.last_sequence == len(every)

    play(story, check)


@given(story=deeds, size=sizes)
@settings(max_examples=40, deadline=None)
def test_runs_are_listed_newest_first_wherever_their_records_stand(
    story: list[tuple[bool, str]], size: int
) -> None:
    async def check(thread: WrittenThread, conversation: Conversation) -> None:
        listed: list[str] = []
        token = ""
        while True:
            request = ListRunsRequest(page_size=size, page_token=token)
            page = await conversation.platform.call(contract.list_runs, request, key=KEY)
            listed += [run.run_id for run in page.runs]
            token = page.next_page_token
            if not token:
                break
        assert listed == thread.runs[::-1]
        for run_id in listed[:3]:
            assert (await conversation.run(run_id)).run_id == run_id

    play(story, check)


async def test_pages_stay_what_they_are_while_the_thread_grows() -> None:
    async with FakePlatform() as platform:
        Conversation(platform)
        thread = WrittenThread(platform, KEY)
        for number in range(30):
            thread.ask(str(number))
            thread.answer(f"answer {number}")
        before = list(reversed(thread.said))
        request = ListMessagesRequest(page_size=7)
        page = await platform.call(contract.list_messages, request, key=KEY)
        seen = [shown(message) for message in page.messages]
        while page.next_page_token:
            thread.ask("meanwhile")
            thread.answer("meanwhile")
            request = ListMessagesRequest(page_size=7, page_token=page.next_page_token)
            page = await platform.call(contract.list_messages, request, key=KEY)
            seen += [shown(message) for message in page.messages]
        assert seen == before


async def test_the_state_shows_the_newest_page_in_the_order_it_was_said() -> None:
    async with FakePlatform() as platform:
        Conversation(platform)
        thread = WrittenThread(platform, KEY)
        for number in range(40):
            thread.ask(str(number))
            thread.answer(str(number))
        newest = await platform.call(contract.get_state, GetStateRequest(page_size=9), key=KEY)
        before = GetStateRequest(page_size=9, page_token=newest.next_page_token)
        older = await platform.call(contract.get_state, before, key=KEY)
        shown_twice = [shown(message) for message in older.messages + newest.messages]
        assert shown_twice == thread.said[-18:]


async def test_a_page_of_large_messages_ends_early_and_goes_on_where_it_ended() -> None:
    """Restate's answers have a bound; no message is lost to it."""
    async with FakePlatform() as platform:
        conversation = Conversation(platform)
        thread = WrittenThread(platform, KEY)
        for number in range(9):
            thread.ask(f"{number}" * 1_000_000)
        for oldest_first in (False, True):
            pages = await conversation.messages(50, oldest_first=oldest_first)
            said = thread.said if oldest_first else thread.said[::-1]
            assert [shown(message) for page in pages for message in page] == said
            sizes = [sum(len(message.content) for message in page) for page in pages]
            assert max(sizes) <= 4 * 1024 * 1024
            assert min(sizes) > 0
        assert len(await conversation.events()) == 9


async def test_appending_and_reading_the_newest_page_cost_the_same_at_any_length() -> None:
    """Counted in what is read and written, not in time."""
    costs: list[tuple[int, int]] = []
    for length in (10, 1000):
        async with FakePlatform() as platform:
            conversation = Conversation(platform)
            thread = WrittenThread(platform, KEY)
            for _ in range(length):
                thread.ask("question")
                thread.answer("answer")
            platform.stored = 0
            sent = await conversation.send()
            await conversation.finish(sent.run_id)
            appended = platform.stored
            request = ListMessagesRequest(page_size=10)
            await platform.call(contract.list_messages, request, key=KEY)
            costs.append((appended, platform.stored - appended))
    (short_append, short_read), (long_append, long_read) = costs
    # Two commands of slack: whether the newest page has just been filled.
    assert long_append <= short_append + 4
    assert long_read <= short_read + 2


@pytest.mark.parametrize("token", ["0", "-1", "x", "1.5", "99999999999", "4294967296"])
@pytest.mark.parametrize("rpc", [contract.list_messages, contract.list_runs, contract.get_state])
async def test_a_token_that_is_not_ours_is_refused(rpc: Rpc[Message, Message], token: str) -> None:
    async with FakePlatform() as platform:
        conversation = Conversation(platform)
        await conversation.open()
        with pytest.raises(RpcError) as refused:
            await platform.call(rpc, rpc.request.model_validate({"page_token": token}), key=KEY)
        assert refused.value.code is Code.INVALID_ARGUMENT
        assert refused.value.reason == PAGE_TOKEN_INVALID.word


@pytest.mark.timeout(10)
@pytest.mark.parametrize("rpc", [contract.list_messages, contract.list_runs, contract.get_state])
async def test_a_token_far_beyond_the_end_begins_at_the_end(rpc: Rpc[Message, Message]) -> None:
    async with FakePlatform() as platform:
        conversation = Conversation(platform)
        await conversation.open()
        await conversation.send("only")
        newest = await platform.call(rpc, rpc.request(), key=KEY)
        beyond = rpc.request.model_validate({"page_token": "4294967295"})
        assert await platform.call(rpc, beyond, key=KEY) == newest


async def test_events_beyond_the_end_are_refused() -> None:
    async with FakePlatform() as platform:
        conversation = Conversation(platform)
        await conversation.open()
        await conversation.send()
        request = ReadEventsRequest(after=3)
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.read_events, request, key=KEY)
        assert refused.value.reason == contract.BEYOND_END.word


async def test_readers_learn_which_run_is_active() -> None:
    async with FakePlatform() as platform:
        conversation = Conversation(platform)
        await conversation.open()
        sent = await conversation.send()
        request = ReadEventsRequest(after=2)
        read = await platform.call(contract.read_events, request, key=KEY)
        assert (read.events, read.active_run_id) == ([], sent.run_id)
        await conversation.finish(sent.run_id)
        answer = (await conversation.state()).messages[-1]
        assert read.active_message_id == answer.message_id
        read = await platform.call(contract.read_events, request, key=KEY)
        assert read.active_run_id == ""
        assert (await conversation.run(sent.run_id)).status is RunStatus.COMPLETED
