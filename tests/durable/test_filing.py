"""Renaming, archiving and copying threads through the public API."""

from datetime import datetime

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from tests.support.conversation import Conversation, Json, RefusedError, User, calls_about, user_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


async def listed(user: User, **asked: object) -> list[str]:
    """Keys of the user's threads."""
    answer = await user.call("list-threads", {"pageSize": 200, **asked})
    return [thread["conversationKey"] for thread in answer["threads"]]


async def filed(user: User, key: str, since: str) -> None:
    """Wait until the list has heard of what was said in a thread at that time; it may hear of it
    two seconds later."""
    wanted = datetime.fromisoformat(since)
    with anyio.fail_after(30):
        while True:
            threads = (await user.call("list-threads", {"pageSize": 200}))["threads"]
            (told,) = [each["updatedAt"] for each in threads if each["conversationKey"] == key]
            if datetime.fromisoformat(told) >= wanted:
                return
            await anyio.sleep(0.05)


async def test_a_thread_is_renamed_archived_and_brought_back(alice: User) -> None:
    thread = await alice.create(name="first", metadata={"a": "b"})
    renamed = await thread.call("update-thread", name="second", metadata={"c": "d"})
    assert (renamed["name"], renamed["metadata"]) == ("second", {"c": "d"})
    assert thread.key in await listed(alice, query="second")
    assert (await thread.call("update-thread", archived=True))["archived"]
    assert thread.key not in await listed(alice)
    assert thread.key in await listed(alice, archived=True)
    state = await thread.state()
    assert (state["name"], state["archived"], state["metadata"]) == ("second", True, {"c": "d"})
    await thread.ask("still there?")
    back = await thread.call("update-thread", archived=False, clear=["name"])
    assert ("name" in back, "archived" in back) == (False, False)
    assert (await listed(alice))[0] == thread.key


async def test_a_copy_goes_its_own_way(model: OpenRouterControl, alice: User) -> None:
    thread = await alice.create(name="mine", settings={"systemPrompt": "be brief"})
    await thread.ask("one")
    second = await thread.ask("two")
    await filed(alice, thread.key, second["createdAt"])
    forked = await thread.call("fork-thread", messageId=second["messageId"])
    copy = Conversation(alice, forked["conversationKey"])
    assert forked["name"] == "mine"
    assert [text for _, text in await copy.said()] == ["one", "You said: one", "two"]
    assert (await listed(alice))[0] == copy.key
    await copy.ask("three")
    (call,) = await calls_about(model, "three")
    assert [m["content"] for m in call.messages] == [
        "be brief", "one", "You said: one", "two", "three",
    ]  # fmt: skip
    assert len(await thread.said()) == 4


async def test_a_repeated_fork_finds_the_copy(alice: User) -> None:
    thread = await alice.create()
    await thread.ask("one")
    key = f"{thread.key}-copy"
    first = await thread.call("fork-thread", newConversationKey=key)
    await thread.ask("two")
    assert await thread.call("fork-thread", newConversationKey=key) == first
    assert len(await Conversation(alice, key).said()) == 2
    with pytest.raises(RefusedError) as refused:
        await thread.call("fork-thread", newConversationKey=key, name="other")
    assert (refused.value.status, refused.value.reason) == (409, "thread.already_exists")


async def test_a_fork_of_a_message_that_does_not_exist_is_not_found(alice: User) -> None:
    thread = await alice.create()
    with pytest.raises(RefusedError) as refused:
        await thread.call("fork-thread", messageId="msg_none", newConversationKey="never-made")
    assert (refused.value.status, refused.value.reason) == (404, "message.not_found")
    with pytest.raises(RefusedError) as refused:
        await Conversation(alice, "never-made").state()
    assert refused.value.status == 404


async def test_a_copy_is_whole_whatever_is_killed_while_it_is_made(
    mortal_stack: RunningStack,
) -> None:
    async with user_of(mortal_stack, patient=True) as alice:
        thread = await alice.create()
        for number in range(3):
            await thread.ask(f"{number} " * 3000)
        said = await thread.said()
        for round_, killed in enumerate(("handlers", "restate")):
            key = f"{thread.key}-copy-{round_}"
            answers: list[Json] = []

            async def fork(key: str = key, answers: list[Json] = answers) -> None:
                answers.append(await thread.call("fork-thread", newConversationKey=key))

            async with anyio.create_task_group() as group:
                group.start_soon(fork)
                await mortal_stack.kill(killed)
                await mortal_stack.start(killed)
            assert answers[0]["conversationKey"] == key
            assert await Conversation(alice, key).said() == said
