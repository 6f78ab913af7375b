"""One attempt of a handler: the SDK's own context over a fake state machine.

What a handler gets is a real `ServerInvocationContext`, so `run_typed`, `select`, promises,
cancellation, randomness and "is this a replay" are the SDK's own code. Only what lies below it,
the native state machine and the server, is replaced (`fake_vm`, `fake_platform`).
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from restate.handler import Handler
from restate.server_context import ServerInvocationContext
from restate.server_types import ASGIReceiveEvent, ReceiveChannel, RestateEvent
from restate.vm import Invocation

from tests.support.fake_journal import JournalMismatchError, ProcessDiedError
from tests.support.fake_vm import FakeVM


class End(Enum):
    """How an attempt ended."""

    ANSWERED = auto()
    SUSPENDED = auto()
    DIED = auto()
    FAILED = auto()
    MISMATCH = auto()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it. failure: the exception that no handler should let out."""

    end: End
    failure: BaseException | None = None


class Line(ReceiveChannel):
    """The line on which Restate speaks to an attempt; only that it did matters here."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Any] = asyncio.Queue()

    async def __call__(self) -> ASGIReceiveEvent | RestateEvent:
        return await self._events.get()

    async def enqueue_restate_event(self, what: RestateEvent) -> None:
        """A step of the attempt has ended."""
        self._events.put_nowait(what)

    def wake(self) -> None:
        """Something came that the state machine should look at."""
        self._events.put_nowait({"type": "http.request", "body": b"", "more_body": True})


async def attempt(
    vm: FakeVM, handler: Handler[Any, Any], invocation: Invocation, line: Line
) -> Attempt:
    """Run a handler until it answers, waits in vain, or dies."""
    context = ServerInvocationContext(
        vm=vm, handler=handler, invocation=invocation, attempt_headers={}, send=_send, receive=line
    )
    failure: BaseException | None = None
    try:
        await context.enter()
        if vm.ended:
            vm.take_output()
    except ProcessDiedError:
        pass
    except Exception as unexpected:
        failure = unexpected
    finally:
        context.on_attempt_finished()
    return _ending(vm, failure)


def _ending(vm: FakeVM, failure: BaseException | None) -> Attempt:
    if isinstance(vm.dead, JournalMismatchError):
        return Attempt(End.MISMATCH, vm.dead)
    if vm.step_failure is not None:
        return Attempt(End.FAILED, RuntimeError(vm.step_failure.message))
    if vm.dead is not None:
        return Attempt(End.DIED)
    if failure is not None:
        return Attempt(End.FAILED, failure)
    return Attempt(End.ANSWERED if vm.ended else End.SUSPENDED)


async def _send(_event: Any) -> None:
    """The bytes for Restate; there are none."""
