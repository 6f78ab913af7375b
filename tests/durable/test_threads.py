"""Threads as a user finds them again: keys, owners, lists and pages."""

import uuid
from typing import Any

import anyio
import pytest

from devstack.openrouter.messages import Answer
from tests.support.conversation import (
    Conversation,
    Json,
    RefusedError,
    User,
    model_of,
    types_of,
    user_of,
)
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

KEYS = {
    "slash": "a/b/../c",
    "percent": "100%25 %2F %",
    "space": " leading, inner and trailing ",
    "emoji": "🧑‍🧒 thread",
    "question": "what?x=1&y=2#z",
    "256 bytes": "ü" * 128,
}


async def all_pages(user: User, method: str, field: str, **request: Any) -> list[Json]:
    """Every row of a paged list; no page is empty."""
    rows: list[Json] = []
    token = ""
    while True:
        answer = await user.call(method, {**request, "pageToken": token})
        rows += answer[field]
        token = answer.get("nextPageToken", "")
        if not token:
            return rows
        assert answer[field]


@pytest.mark.parametrize("name", KEYS)
async def test_any_key_names_a_thread(alice: User, name: str) -> None:
    thread = await alice.create(KEYS[name])
    run = await thread.ask(f"to {name}")
    assert run["status"] == "COMPLETED"
    state = await thread.state()
    assert state["conversationKey"] == KEYS[name]
    assert await thread.said() == [("user", f"to {name}"), ("assistant", f"You said: to {name}")]
    assert {event["conversationKey"] for event in await thread.events()} == {KEYS[name]}
    listed = await all_pages(alice, "list-threads", "threads")
    assert [row["conversationKey"] for row in listed].count(KEYS[name]) == 1


async def test_a_key_of_more_than_256_bytes_is_refused(alice: User) -> None:
    with pytest.raises(RefusedError) as refused:
        await alice.create("ü" * 128 + "a")
    assert (refused.value.status, refused.value.code) == (400, "INVALID_ARGUMENT")
    (violation,) = refused.value.error["details"]["fieldViolations"]
    assert violation["field"] == "conversationKey"


async def test_the_same_key_of_two_users_names_two_threads(
    alice: User, bob: User, stack: RunningStack
) -> None:
    async with user_of(stack, stack.carol) as carol:
        key = f"shared-{uuid.uuid4().hex}"
        threads = [
            await user.create(key, name=f"{n}") for n, user in enumerate((alice, bob, carol))
        ]
        runs = [await thread.ask(f"from {n}") for n, thread in enumerate(threads)]
        for number, thread in enumerate(threads):
            assert await thread.said() == [
                ("user", f"from {number}"),
                ("assistant", f"You said: from {number}"),
            ]
            for stranger in {0, 1, 2} - {number}:
                with pytest.raises(RefusedError) as refused:
                    await thread.run(runs[stranger]["runId"])
                assert (refused.value.status, refused.value.reason) == (404, "run.not_found")


async def test_a_key_cannot_reach_into_another_users_threads(alice: User, bob: User) -> None:
    secret = await bob.create(f"s-{uuid.uuid4().hex}")
    await secret.ask("a secret")
    for key in (f"../bob/{secret.key}", f"acme/bob/{secret.key}", f"%2e%2e/bob/{secret.key}"):
        with pytest.raises(RefusedError) as refused:
            await Conversation(alice, key).state()
        assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")


async def test_creating_a_thread_again_answers_the_same_and_other_content_is_refused(
    alice: User,
) -> None:
    key = f"again-{uuid.uuid4().hex}"
    request = {
        "conversationKey": key,
        "name": "Once",
        "settings": {"systemPrompt": "Be brief."},
        "metadata": {"a": "1"},
    }
    answers: list[Json] = []

    async def create() -> None:
        answers.append(await alice.call("create-thread", request))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(create)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["conversationKey"] == key
    for other in ({"name": "Twice"}, {"metadata": {"a": "2"}}, {"settings": None}):
        with pytest.raises(RefusedError) as refused:
            await alice.call("create-thread", {**request, **other})
        assert (refused.value.status, refused.value.reason) == (409, "thread.already_exists")
    listed = await all_pages(alice, "list-threads", "threads", query=key)
    assert [(row["conversationKey"], row["name"]) for row in listed] == [(key, "Once")]


async def test_a_key_is_made_where_none_is_given(alice: User) -> None:
    first, second = [await alice.call("create-thread", {"name": "Nameless"}) for _ in range(2)]
    assert first["conversationKey"] < second["conversationKey"]
    assert (await Conversation(alice, second["conversationKey"]).ask("hello"))["status"] == (
        "COMPLETED"
    )


async def test_a_message_to_a_thread_that_was_never_created_is_refused(alice: User) -> None:
    with pytest.raises(RefusedError) as refused:
        await Conversation(alice, "never-created").send("hello")
    assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")


async def test_two_hundred_threads_are_listed_newest_activity_first(
    live_stack: RunningStack,
) -> None:
    async with user_of(live_stack, live_stack.carol) as carol:
        threads = await carol.create_many(200)
        keys = {thread.key for thread in threads}

        async def listed(**more: Any) -> list[str]:
            rows = await all_pages(carol, "list-threads", "threads", **more)
            return [row["conversationKey"] for row in rows if row["conversationKey"] in keys]

        before = await listed()
        assert sorted(before) == sorted(keys)
        for size in (7, 50, 200):
            assert await listed(pageSize=size) == before
        # The oldest comes to the front when something happens in it.
        for key in (before[-1], before[100]):
            await Conversation(carol, key).ask("news")
        moved = [before[100], before[-1], *before[:100], *before[101:-1]]

        async def in_order() -> bool:
            return await listed() == moved

        await live_stack.wait_until(in_order)
        newest = await carol.call("list-threads", {"pageSize": 1})
        assert newest["threads"][0]["updatedAt"] > newest["threads"][0]["createdAt"]


async def test_a_page_goes_on_where_it_stopped_whatever_moved(live_stack: RunningStack) -> None:
    async with user_of(live_stack, live_stack.bob) as bob:
        keys = [(await bob.create()).key for _ in range(12)][::-1]
        first = await bob.call("list-threads", {"pageSize": 5})
        assert [row["conversationKey"] for row in first["threads"]] == keys[:5]
        await Conversation(bob, keys[7]).ask("moved to the front meanwhile")

        async def moved() -> bool:
            newest = await bob.call("list-threads", {"pageSize": 1})
            return newest["threads"][0]["conversationKey"] == keys[7]

        await live_stack.wait_until(moved)
        second = await bob.call(
            "list-threads", {"pageSize": 6, "pageToken": first["nextPageToken"]}
        )
        assert [row["conversationKey"] for row in second["threads"]] == [
            key for key in keys[5:] if key != keys[7]
        ]


async def test_a_query_finds_names_and_keys_without_regard_to_case(alice: User) -> None:
    mark = uuid.uuid4().hex
    named = await alice.create(name=f"Über {mark.upper()}")
    keyed = await alice.create(f"ABC-{mark}")
    await alice.create()
    found = await all_pages(alice, "list-threads", "threads", query=mark)
    assert {row["conversationKey"] for row in found} == {named.key, keyed.key}
    found = await all_pages(alice, "list-threads", "threads", query=f"über {mark}")
    assert [row["conversationKey"] for row in found] == [named.key]


async def test_a_page_token_that_was_not_given_out_is_refused(alice: User) -> None:
    thread = await alice.create()
    for method in ("list-messages", "list-runs", "conversation-state"):
        with pytest.raises(RefusedError) as refused:
            await thread.call(method, pageToken="next")
        assert (refused.value.status, refused.value.reason) == (400, "page_token.invalid")
    with pytest.raises(RefusedError) as refused:
        await alice.call("list-threads", {"pageToken": "next"})
    assert (refused.value.status, refused.value.reason) == (400, "page_token.invalid")


async def test_messages_and_runs_are_paged_from_either_end(alice: User) -> None:
    thread = await alice.create()
    runs = [await thread.ask(f"question {number}") for number in range(10)]
    said = [
        text
        for number in range(10)
        for text in (f"question {number}", f"You said: question {number}")
    ]
    about = {"conversationKey": thread.key}
    for size in (1, 3, 7, 20, 0):
        newest = await all_pages(alice, "list-messages", "messages", pageSize=size, **about)
        assert [message["content"] for message in newest] == said[::-1]
        oldest = await all_pages(
            alice, "list-messages", "messages", pageSize=size, oldestFirst=True, **about
        )
        assert [message["content"] for message in oldest] == said
    pages: list[Json] = []
    token = ""
    while not pages or token:
        page = await thread.call("conversation-state", pageSize=6, pageToken=token)
        pages, token = page["messages"] + pages, page.get("nextPageToken", "")
    assert [message["content"] for message in pages] == said
    listed = await all_pages(alice, "list-runs", "runs", pageSize=4, **about)
    assert listed == runs[::-1]


async def test_large_messages_are_paged_whole(live_stack: RunningStack) -> None:
    async with model_of(live_stack) as model, user_of(live_stack) as alice:
        await model.script(Answer(text="read"), repeat_last=True)
        # More than one answer of the log's may hold.
        texts = [f"{number}" * 1_000_000 for number in range(6)]
        thread = await alice.create(settings={"keepLast": 1})
        for text in texts:
            await thread.ask(text)
        about = {"conversationKey": thread.key, "pageSize": 12}
        for oldest_first in (False, True):
            found = await all_pages(
                alice, "list-messages", "messages", oldestFirst=oldest_first, **about
            )
            asked = [message["content"] for message in found if message["role"] == "user"]
            assert asked == (texts if oldest_first else texts[::-1])
        assert types_of(await thread.events()) == [
            "message.created", "run.started", "message.completed", "run.completed",
        ] * 6  # fmt: skip
