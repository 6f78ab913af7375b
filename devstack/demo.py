"""`make demo`: one conversation of two turns that survives the death of the handlers.

Everything goes through the public REST interface, as a client would. The model is the scripted
OpenRouter double: in the middle of the second answer it holds at a gate, which is when the handler
process is killed with -9. The demo checks what it shows and exits 1 when an answer is missing,
doubled or out of order.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from devstack.keys import SecretKey
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from devstack.processes import ProcessError
from devstack.stack import HANDLERS, Stack, StackOptions

CONVERSATION = "demo"
TURNS = (
    (
        "What happens to my message when your servers die?",
        "It is written down before you are told that it was accepted, so it waits for me.",
    ),
    (
        "And to your answer, when they die while you are writing it?",
        "Then the text that you had seen so far starts anew, on whatever process comes back, "
        "and you still get exactly one answer.",
    ),
)
GATE = "mid-answer"
TOKENS_BEFORE_THE_KILL = 9
ANSWER_SECONDS = 60
POLL_SECONDS = 0.1


class DemoError(Exception):
    """What was promised did not happen. The text is a sentence for a person."""


class Client:
    """The few calls that the demo makes, as a mobile application would make them."""

    def __init__(self, base_url: str, key: SecretKey) -> None:
        """Every call is made with this key."""
        self._http = httpx.AsyncClient(
            base_url=f"{base_url}/api/v1/llm/gateway/",
            headers={"x-api-key": key.key},
            timeout=30,
            trust_env=False,
        )

    async def call(self, method: str, **request: Any) -> dict[str, Any]:
        """One method; a refusal ends the demo."""
        answer = await self._http.post(method, json=request)
        if answer.is_error:
            raise DemoError(f"{method} was refused with {answer.status_code}: {answer.text}")
        return answer.json()

    async def send(self, text: str) -> str:
        """Send a user's message; the id of the run that answers it."""
        answer = await self.call(
            "send-message",
            conversationKey=CONVERSATION,
            userMessage={"role": "user", "content": text},
            clientMessageId=str(uuid.uuid4()),
        )
        return answer["runId"]

    async def answered(self, messages: int) -> float:
        """Wait until the conversation is idle with that many messages; the seconds it took."""
        started = time.monotonic()
        while time.monotonic() < started + ANSWER_SECONDS:
            state = await self.call("conversation-state", conversationKey=CONVERSATION)
            if state["status"] == "IDLE" and len(state["messages"]) >= messages:
                return time.monotonic() - started
            await asyncio.sleep(POLL_SECONDS)
        raise DemoError(f"No answer came within {ANSWER_SECONDS} s.")

    async def messages(self) -> list[dict[str, Any]]:
        """What was said, in order."""
        state = await self.call("conversation-state", conversationKey=CONVERSATION)
        return state["messages"]

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()


def say(what: str, text: str = "") -> None:
    """One line for the person who watches."""
    print(f"{what:<20} {text}".rstrip(), flush=True)


async def first_turn(client: Client, model: OpenRouterControl) -> None:
    """A turn in which nothing goes wrong."""
    question, text = TURNS[0]
    await model.script(Answer(text=text), contains=question)
    run = await client.send(question)
    say("send-message", f"accepted as run {run}")
    say("conversation-state", f"answered after {await client.answered(2):.1f} s")


async def second_turn(client: Client, model: OpenRouterControl, stack: Stack) -> None:
    """A turn in which the handlers die while the model is in the middle of its answer."""
    question, text = TURNS[1]
    cut_off = Answer(text=text, gate=GATE, hold_after=TOKENS_BEFORE_THE_KILL)
    await model.script(cut_off, Answer(text=text), contains=question)
    run = await client.send(question)
    say("send-message", f"accepted as run {run}")
    calls = await model.wait(calls=2, call=1, waiting=True)
    say("the model", f"has said {calls[1].text_sent!r} so far")
    say("kill -9", f"the handlers, process {stack.processes[HANDLERS].pid}, in mid-answer")
    await asyncio.to_thread(stack.kill, HANDLERS)
    await asyncio.to_thread(stack.start_again, HANDLERS)
    say("start", f"the handlers, process {stack.processes[HANDLERS].pid}")
    say("conversation-state", f"answered {await client.answered(4):.1f} s after they were back")


def check(messages: list[dict[str, Any]]) -> None:
    """Both turns are there once, whole and in order."""
    said = [(message["role"], message.get("content", "")) for message in messages]
    expected = [pair for user, model in TURNS for pair in (("user", user), ("assistant", model))]
    if said != expected:
        raise DemoError(f"The conversation is not what was said: {said}")


async def hold_conversation(stack: Stack, key: SecretKey) -> None:
    """Two turns, then the conversation as the client sees it."""
    client = Client(stack.base_url, key)
    model = OpenRouterControl(stack.openrouter_url)
    try:
        await client.call("create-thread", conversationKey=CONVERSATION, name="A demonstration")
        say("create-thread", f"the conversation {CONVERSATION!r}")
        await first_turn(client, model)
        await second_turn(client, model, stack)
        messages = await client.messages()
        calls = len(await model.calls())
    finally:
        await client.close()
        await model.aclose()
    say("")
    for message in messages:
        say(message["role"], message.get("content", ""))
    check(messages)
    say("")
    say(
        "what happened", f"The model was called {calls} times for 2 turns: the killed call was made"
    )
    say("", "again as a second attempt. Each answer is in the conversation exactly once.")


def main() -> int:
    """Run the demo; 0 when everything that it promises was seen."""
    started = time.monotonic()
    key = SecretKey(tenant_id="demo", user_id="visitor")
    with tempfile.TemporaryDirectory(prefix="yocaso-demo-", ignore_cleanup_errors=True) as folder:
        stack = Stack(StackOptions(data_path=Path(folder), keys=(key,)))
        try:
            say("start", "Restate, handlers, edge, and a double of OpenRouter")
            stack.start()
            say("ready", f"{stack.base_url} after {time.monotonic() - started:.1f} s")
            asyncio.run(hold_conversation(stack, key))
        except (DemoError, ProcessError) as error:
            print(f"The demo failed. {error}", file=sys.stderr)
            return 1
        finally:
            stack.stop()
    say("stop", f"everything, after {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
