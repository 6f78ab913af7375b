"""What the toolbox offers: a few honest tools, some that misbehave on demand, and a notebook."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}


class Called(BaseModel):
    """A call that reached a tool. Times are unix seconds."""

    model_config = ConfigDict(extra="forbid")

    tool: str
    arguments: dict[str, Any]
    headers: dict[str, str] = {}
    started_at: float
    ended_at: float | None = None


class ToolFailedError(Exception):
    """The tool says that it failed; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One tool: its description, what it takes, what it says about itself, and what it does."""

    name: str
    description: str
    properties: Mapping[str, Any]
    does: Callable[[Mapping[str, Any]], Awaitable[Any]]
    annotations: Mapping[str, bool] = field(default_factory=dict[str, bool])

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.properties),
            "additionalProperties": False,
        }


class Tools:
    """The tools, their state, and everything that was called."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.schemas: dict[str, Any] = {}
        """Schemas that stand in for a tool's own, by its name."""
        self._values: dict[str, str] = {}
        self._notes: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}
        self._open = False
        read, same = {"readOnlyHint": True}, {"idempotentHint": True}
        self.offered = [
            Offered("add", "Adds two numbers.", {"a": _NUMBER, "b": _NUMBER}, self._add, read),
            Offered("weather", "Tells the weather of a city.", {"city": _TEXT}, _weather, read),
            Offered("remember", "Keeps a value under a key.", {"key": _TEXT, "value": _TEXT},
                    self._remember, same),
            Offered("note", "Writes a line into the notebook.", {"text": _TEXT}, self._note),
            Offered("fail", "Fails with these words.", {"message": _TEXT}, _fail, read),
            Offered("wait", "Waits until a gate is opened.", {"gate": _TEXT}, self._wait, read),
            Offered("wait-and-note", "Waits at a gate, then writes a line.",
                    {"gate": _TEXT, "text": _TEXT}, self._wait_and_note),
            Offered("produce", "Answers with that many bytes.", {"bytes": _NUMBER}, _produce, read),
        ]  # fmt: skip

    async def call(
        self, name: str, arguments: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Any:
        """Do what a tool does. Raises KeyError for one that there is not, or ToolFailedError."""
        offered = {each.name: each for each in self.offered}[name]
        called = Called(
            tool=name,
            arguments=dict(arguments),
            headers=dict(headers),
            started_at=time.time(),
        )
        self.calls.append(called)
        try:
            return await offered.does(arguments)
        except (KeyError, TypeError) as wrong:
            raise ToolFailedError(f"The arguments do not fit: {wrong}") from None
        finally:
            called.ended_at = time.time()

    def release(self, gate: str) -> None:
        """Open a gate, for those that wait there now and for all that come."""
        self._gate(gate).set()

    def release_all(self) -> None:
        """Open every gate for good: the server is about to end."""
        self._open = True
        for gate in self._gates.values():
            gate.set()

    def reset(self) -> None:
        """Forget calls, values, notes and schemas, and let go whoever waits."""
        for gate in self._gates.values():
            gate.set()
        self._gates.clear()
        self.calls.clear()
        self.schemas.clear()
        self._values.clear()
        self._notes.clear()

    def _gate(self, name: str) -> asyncio.Event:
        gate = self._gates.setdefault(name, asyncio.Event())
        if self._open:
            gate.set()
        return gate

    async def _add(self, arguments: Mapping[str, Any]) -> Any:
        return {"sum": arguments["a"] + arguments["b"]}

    async def _remember(self, arguments: Mapping[str, Any]) -> Any:
        self._values[arguments["key"]] = arguments["value"]
        return f"Kept. There are {len(self._values)} values."

    async def _note(self, arguments: Mapping[str, Any]) -> Any:
        self._notes.append(arguments["text"])
        return f"Line {len(self._notes)} is written."

    async def _wait(self, arguments: Mapping[str, Any]) -> Any:
        await self._gate(arguments["gate"]).wait()
        return "The gate is open."

    async def _wait_and_note(self, arguments: Mapping[str, Any]) -> Any:
        await self._gate(arguments["gate"]).wait()
        return await self._note(arguments)


async def _weather(arguments: Mapping[str, Any]) -> Any:
    city = arguments["city"]
    return {"city": city, "sky": "clear" if len(city) % 2 else "cloudy", "celsius": len(city) + 10}


async def _fail(arguments: Mapping[str, Any]) -> Any:
    raise ToolFailedError(arguments["message"])


async def _produce(arguments: Mapping[str, Any]) -> Any:
    return "x" * int(arguments["bytes"])


def text_of(answer: Any) -> str:
    """A tool's answer as text for a model."""
    return answer if isinstance(answer, str) else json.dumps(answer)
