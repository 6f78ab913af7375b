"""Branches through the public API: answers made anew, messages edited, and the way back."""

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import RefusedError, User, calls_about, types_of

pytestmark = pytest.mark.anyio


async def test_an_answer_made_anew_leaves_the_old_one_readable(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(text="Heads."), contains="toss")
    first = await thread.ask("toss a coin")
    await model.script(Answer(text="Tails."), contains="toss")
    again = await thread.call("regenerate", messageId=first["answerMessageId"])
    run = await thread.settled(again["runId"])
    assert run["branchId"] == again["branchId"] == (await thread.state())["activeBranchId"]
    assert await thread.said() == [("user", "toss a coin"), ("assistant", "Tails.")]
    old = await thread.call("list-messages", branchId="main", oldestFirst=True)
    assert [m["content"] for m in old["messages"]] == ["toss a coin", "Heads."]
    listed = await thread.call("list-branches")
    assert [b["branchId"] for b in listed["branches"]] == [again["branchId"], "main"]
    assert listed["branches"][0]["messageId"] == first["messageId"]


async def test_an_edited_message_goes_another_way_and_back(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await thread.ask("one")
    second = await thread.ask("two")
    edited = await thread.call(
        "edit-message", messageId=second["messageId"], userMessage={"content": "2"}
    )
    await thread.settled(edited["runId"])
    (call,) = await calls_about(model, "2")
    assert [m["content"] for m in call.messages] == ["one", "You said: one", "2"]
    chosen = await thread.call("choose-branch", branchId="main")
    assert chosen["active"]
    await thread.ask("three")
    (call,) = await calls_about(model, "three")
    assert [m["content"] for m in call.messages if m["role"] == "user"] == ["one", "two", "three"]
    told = types_of(await thread.events())
    assert [kind for kind in told if kind.startswith("branch")] == [
        "branch.created", "branch.chosen",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("regenerate", {"messageId": "msg_none"}, "message.not_found"),
        (
            "edit-message",
            {"messageId": "msg_none", "userMessage": {"content": "x"}},
            "message.not_found",
        ),
        ("choose-branch", {"branchId": "branch-7"}, "branch.not_found"),
        ("list-messages", {"branchId": "branch-7"}, "branch.not_found"),
    ],
)
async def test_what_does_not_exist_is_not_found(
    alice: User, method: str, request_: dict[str, object], reason: str
) -> None:
    thread = await alice.create()
    with pytest.raises(RefusedError) as refused:
        await thread.call(method, **request_)
    assert (refused.value.status, refused.value.reason) == (404, reason)
