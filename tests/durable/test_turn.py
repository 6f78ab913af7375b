"""A turn, from a message to its answer, as deployed and with replay forced at every step."""

import uuid

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


async def open_thread(stack: RunningStack) -> str:
    """A thread of Alice's that no other test knows."""
    conversation_key = f"turn/{uuid.uuid4()}"
    status, _, _ = await stack.call(
        "llm/gateway/create-thread", {"conversationKey": conversation_key}
    )
    assert status == 200
    return conversation_key


async def said(stack: RunningStack, conversation_key: str, messages: int) -> list[tuple[str, str]]:
    """Role and content of every message, once the thread is idle with that many."""

    async def read() -> list[tuple[str, str]]:
        _, state, _ = await stack.call(
            "llm/gateway/conversation-state", {"conversationKey": conversation_key}
        )
        done = state["status"] == "IDLE" and len(state["messages"]) >= messages
        return [(m["role"], m.get("content", "")) for m in state["messages"]] if done else []

    return await stack.wait_until(read)


async def test_a_message_is_answered_once(stack: RunningStack) -> None:
    model = OpenRouterControl(stack.openrouter_url)
    conversation_key = await open_thread(stack)
    question = f"question {uuid.uuid4()}"
    await model.script(Answer(text="one two three"), contains=question)
    await model.aclose()
    status, _, _ = await stack.call(
        "llm/gateway/send-message",
        {
            "conversationKey": conversation_key,
            "userMessage": {"role": "user", "content": question},
        },
    )
    assert status == 200
    expected = [("user", question), ("assistant", "one two three")]
    assert await said(stack, conversation_key, 2) == expected
