"""What Restate keeps of one invocation: the commands it gave and what completed them, in order.

A replay is held against the commands one by one. Notifications are handed out in the order in
which they came the first time, so a `select` that was won by the stop is won by it again.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from restate import vm
from restate.exceptions import SdkInternalBaseException
from restate.vm import Failure

# The handle under which the SDK looks for an operator's cancel.
CANCEL: int = cast("Any", vm).CANCEL_HANDLE

# Bytes of a result, the names of state keys, an invocation's id, or None for "done, no value".
Value = bytes | Failure | list[str] | str | None


class JournalMismatchError(SdkInternalBaseException):
    """A replay asked for another command than the run before it: the handler is not
    deterministic. Derived as the SDK's own are, so that no handler can swallow it."""


class ProcessDiedError(SdkInternalBaseException):
    """The process that ran the handler is gone; raised where its next line to Restate was."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that a handler asked Restate for.

    target: the name of a step, the key of a state, or `Component/Method`.
    key: of the object that is called.
    delay_seconds: of a sleep or a delayed send.
    status, metadata: of a failure that is the handler's answer; its message is the target.
    """

    kind: str
    target: str = ""
    key: str = ""
    payload: bytes = b""
    delay_seconds: float = 0.0
    idempotency_key: str = ""
    status: int = 0
    metadata: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        more = f"{self.delay_seconds or ''} {self.status or ''}"
        return f"{self.kind} {self.target} {self.key} {self.payload[:200]!r} {more}"


@dataclass(slots=True)
class Journal:
    """What is durable of an invocation.

    immediate: results that are part of their command (state that was preloaded), by index.
    notifications: handle and value, in the order of arrival.
    """

    commands: list[Command] = field(default_factory=list[Command])
    immediate: dict[int, Value] = field(default_factory=dict[int, Value])
    notifications: list[tuple[int, Value]] = field(default_factory=list[tuple[int, Value]])

    def steps(self) -> list[str]:
        """The names of the steps, in order."""
        return [command.target for command in self.commands if command.kind == "run"]


def result_handle(index: int) -> int:
    """The handle under which a command's result is waited for. Small numbers are the SDK's."""
    return 2 * index + 100


def id_handle(index: int) -> int:
    """The handle of the id of the invocation that a call or send made."""
    return 2 * index + 101
