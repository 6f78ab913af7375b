"""One conversation as a client holds it: create, send, wait for runs, pull and stream events.

Requests and answers stay plain JSON (dicts in camelCase), because that is what is promised to
clients. A refusal is an exception with the error's fields, so a test names the one it expects.
"""

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from devstack.keys import SecretKey
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Call
from tests.support.frames import Frames, frames_of
from tests.support.stack import API, RunningStack

Json = dict[str, Any]

GATEWAY = f"{API}llm/gateway/"
ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
LONGEST_WAIT = "20s"


class RefusedError(Exception):
    """An answer that is an error envelope."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.code: str = error["code"]
        self.reason: str = error["details"]["reason"]
        self.is_terminal: bool = error["isTerminal"]


class User:
    """Calls as one user. A `patient` one repeats what a restart of the platform interrupted, for
    that many seconds."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        key: SecretKey,
        *,
        patient: bool = False,
        seconds: float = 60,
    ) -> None:
        self.http = http
        self.headers = {"x-api-key": key.key}
        self._patient = patient
        self._seconds = seconds

    async def call(self, method: str, body: Json | None = None) -> Json:
        """One method of the gateway. Raises RefusedError."""
        if not self._patient:
            return await self._once(method, body or {})
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                return await self._once(method, body or {})
            except RefusedError as refused:
                if refused.is_terminal or time.monotonic() > deadline:
                    raise
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            await anyio.sleep(0.05)

    async def _once(self, method: str, body: Json) -> Json:
        answer = await self.http.post(GATEWAY + method, json=body, headers=self.headers)
        if answer.is_error:
            raise RefusedError(answer.status_code, answer.json()["error"])
        return answer.json()

    async def create(self, conversation_key: str = "", **more: Any) -> "Conversation":
        """A new conversation, with a key of its own unless one is given."""
        key = conversation_key or f"c-{uuid.uuid4().hex}"
        await self.call("create-thread", {"conversationKey": key, **more})
        return Conversation(self, key)

    async def create_many(self, count: int) -> "list[Conversation]":
        """Several new conversations, made at the same time."""
        conversations: list[Conversation] = []

        async def create() -> None:
            conversations.append(await self.create())

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(create)
        return conversations


class Conversation:
    """One thread of one user."""

    def __init__(self, user: User, key: str) -> None:
        self.user = user
        self.key = key

    async def call(self, method: str, **request: Any) -> Json:
        """A method about this conversation."""
        return await self.user.call(method, {"conversationKey": self.key, **request})

    async def send(self, text: str, **more: Any) -> str:
        """Send a user's message; the id of the run that answers it."""
        return (await self.accept(text, **more))["runId"]

    async def accept(self, text: str, **more: Any) -> Json:
        """Send a user's message; the whole answer. Its client message id makes repeats safe."""
        request = {
            "userMessage": {"role": "user", "content": text},
            "clientMessageId": str(uuid.uuid4()),
        }
        return await self.call("send-message", **{**request, **more})

    async def ask(self, text: str, **more: Any) -> Json:
        """Send a message and wait for the end of its run; the run's record."""
        return await self.settled(await self.send(text, **more))

    async def run(self, run_id: str) -> Json:
        """The record of a run."""
        return await self.call("get-run", runId=run_id)

    async def cancel(self, run_id: str) -> Json:
        """Ask for the end of a run; its record at that moment."""
        return await self.call("cancel-run", runId=run_id)

    async def state(self) -> Json:
        """The thread with its newest messages."""
        return await self.call("conversation-state")

    async def said(self) -> list[tuple[str, str]]:
        """Role and text of the newest messages, in the order they were said."""
        messages = (await self.state())["messages"]
        return [(message["role"], message.get("content", "")) for message in messages]

    async def pull(self, after: int = 0, wait: str = "0s", **more: Any) -> Json:
        """One answer of pull-events."""
        return await self.call("pull-events", after=after, wait=wait, **more)

    async def events(self, after: int = 0) -> list[Json]:
        """Every event after a sequence that there is now."""
        events: list[Json] = []
        while True:
            answer = await self.pull(after)
            events += answer["events"]
            if after == answer.get("lastSequence", 0) or not answer["events"]:
                return events
            after = events[-1]["sequence"]

    async def happened(self, kind: str, run_id: str = "", seconds: float = 60) -> Json:
        """Wait for an event of a type, of that run if one is named."""
        return await self._first(
            lambda event: event["type"] == kind and run_id in ("", event.get("runId")), seconds
        )

    async def settled(self, run_id: str, seconds: float = 60) -> Json:
        """Wait for the end of a run; its record."""
        await self._first(lambda event: event["type"] in ENDS and event["runId"] == run_id, seconds)
        return await self.run(run_id)

    async def _first(self, wanted: Callable[[Json], bool], seconds: float) -> Json:
        deadline, after = time.monotonic() + seconds, 0
        while True:
            answer = await self.pull(after, LONGEST_WAIT)
            for event in answer["events"]:
                if wanted(event):
                    return event
                after = event["sequence"]
            assert time.monotonic() < deadline, f"not within {seconds} s; the log ends at {after}"

    @asynccontextmanager
    async def stream(self, after: int = 0) -> AsyncGenerator[Frames]:
        """The conversation's event stream. Raises RefusedError."""
        body = {"conversationKey": self.key, "after": after}
        request = self.user.http.build_request(
            "POST", f"{GATEWAY}stream-events", json=body, headers=self.user.headers
        )
        answer = await self.user.http.send(request, stream=True)
        try:
            if answer.is_error:
                await answer.aread()
                raise RefusedError(answer.status_code, answer.json()["error"])
            frames = frames_of(answer)
            try:
                yield frames
            finally:
                await frames.aclose()
        finally:
            await answer.aclose()


def types_of(events: list[Json]) -> list[str]:
    """The types of events, in order."""
    return [event["type"] for event in events]


@asynccontextmanager
async def user_of(
    stack: RunningStack,
    key: SecretKey | None = None,
    *,
    patient: bool = False,
    seconds: float = 60,
) -> AsyncGenerator[User]:
    """Alice, or whose key is given, with a connection pool of her own."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncClient(
        base_url=stack.base_url, timeout=60, limits=limits, trust_env=False, verify=False
    ) as http:
        yield User(http, key or stack.alice, patient=patient, seconds=seconds)


@asynccontextmanager
async def model_of(stack: RunningStack) -> AsyncGenerator[OpenRouterControl]:
    """The stack's model double, without scripts and calls of earlier tests."""
    model = OpenRouterControl(stack.openrouter_url)
    try:
        await model.reset()
        yield model
    finally:
        await model.aclose()


async def calls_about(model: OpenRouterControl, text: str) -> list[Call]:
    """The model calls whose last message is this text, in order."""
    return [call for call in await model.calls() if call.messages[-1]["content"] == text]
