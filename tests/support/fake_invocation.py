"""A call that the fake platform took: its journal, its attempts, and how it stands."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from restate.vm import Failure

from chassis.message import Message
from chassis.rpc import Kind, Rpc
from errors import RpcError, wire
from tests.support.fake_context import Line
from tests.support.fake_journal import Command, Journal, Value
from tests.support.fake_vm import FakeVM


@dataclass(frozen=True, slots=True)
class Sent:
    """A one-way send. id: of the invocation that it becomes; due: seconds of the fake's clock."""

    id: str
    target: str
    key: str
    payload: bytes
    due: float
    delay: timedelta


class Effects(Protocol):
    """What the platform does for its invocations."""

    def count(self) -> None:
        """Count something that becomes durable; raises ProcessDiedError when it must not."""
        ...

    def perform(self, invocation: "Invocation", index: int, command: Command) -> None:
        """Set off the effect of a command that is durable."""
        ...

    def changed(self) -> None:
        """Whoever waits for a condition should look again."""
        ...


@dataclass(eq=False, slots=True)
class Invocation:
    """One call.

    parent: who waits for the answer, and under which handle.
    suspended: no attempt runs until something comes. done: there will be no more attempts.
    """

    platform: Effects
    rpc: Rpc[Any, Any]
    key: str
    payload: bytes
    id: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    parent: tuple["Invocation", int] | None = None
    journal: Journal = field(default_factory=Journal)
    result: bytes | Failure | None = None
    failures: list[BaseException] = field(default_factory=list[BaseException])
    attempts: int = 0
    paused: bool = False
    queued: bool = False
    suspended: bool = False
    done: bool = False
    vm: FakeVM | None = None
    line: Line | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        """Whether there is an answer."""
        return self.result is not None

    @property
    def resting(self) -> bool:
        """Whether it cannot go on by itself."""
        waits = self.vm is not None and self.vm.resting
        return self.done or self.queued or self.suspended or waits

    @property
    def exclusive(self) -> bool:
        """Whether it keeps others from its key."""
        return self.rpc.component.kind is Kind.ACTOR and not self.rpc.shared

    def message(self) -> Message:
        """The answer; raises the RpcError that a caller gets."""
        assert self.result is not None, f"{self.rpc.target} has not answered"
        if isinstance(self.result, Failure):
            raise wire.from_failure(self.result.message, self.result.code, self.result.metadata)
        return self.rpc.response.from_json(self.result)

    def error(self) -> RpcError:
        """The RpcError that it answered with."""
        try:
            answer = self.message()
        except RpcError as error:
            return error
        raise AssertionError(f"{self.rpc.target} answered {answer!r}")

    def notify(self, handle: int, value: Value) -> None:
        """Something that the handler may wait for has come."""
        self.journal.notifications.append((handle, value))
        self.woken.set()
        self.suspended = False
        if self.vm is not None and self.line is not None:
            self.vm.resting = False
            self.line.wake()

    def store(self, index: int, command: Command) -> None:
        """Make a command durable and set off its effect."""
        self.platform.count()
        self.journal.commands.append(command)
        if index not in self.journal.immediate:
            self.platform.perform(self, index, command)

    def store_step(self, handle: int, value: Value) -> None:
        """Make the result of a step durable."""
        self.platform.count()
        self.notify(handle, value)

    def rested(self) -> None:
        """The attempt waits for something from outside."""
        self.platform.changed()
