"""What commands do once they are durable: state, calls, sends, sleeps and promises.

The platform (`fake_platform`) runs invocations; this is its memory of everything that outlives
them.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from restate.vm import Failure

from chassis.message import Message
from chassis.rpc import Rpc
from errors import RpcError, wire
from tests.support.fake_invocation import Invocation, Sent
from tests.support.fake_journal import Command, ProcessDiedError, id_handle, result_handle

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Stub = Callable[[Any, str], Message]
Key = tuple[str, str]


class SurpriseError(AssertionError):
    """The handlers did what the test does not allow."""


class FakeEffects:
    """The durable side of the platform.

    now: unix seconds of the fake's clock.
    states: by component and key. outbox: sends that are not delivered; history: all there were.
    problems: what fails the test as soon as it looks.
    """

    def __init__(self) -> None:
        self.now = START.timestamp()
        self.states: dict[Key, dict[str, bytes]] = defaultdict(dict)
        self.outbox: list[Sent] = []
        self.history: list[Sent] = []
        self.rpcs: dict[str, Rpc[Any, Any]] = {}
        self.stubs: dict[str, Stub] = {}
        self.problems: list[BaseException] = []
        self._promises: dict[tuple[Key, str], bytes] = {}
        self._waiters: dict[tuple[Key, str], list[tuple[Invocation, int]]] = defaultdict(list)
        self._sleeps: list[tuple[float, int, Invocation, int]] = []
        self._order = itertools.count()

    @property
    def time(self) -> datetime:
        """The time that handlers see."""
        return datetime.fromtimestamp(self.now, UTC)

    def perform(self, invocation: Invocation, index: int, command: Command) -> None:
        """Set off the effect of a command."""
        answer = result_handle(index)
        match command.kind:
            case "get" | "keys" | "set" | "clear" | "clear_all":
                self._touch_state(invocation, answer, command)
            case "promise" | "peek" | "resolve":
                self._touch_promise(invocation, answer, command)
            case "sleep":
                due = self.now + command.delay_seconds
                heapq.heappush(self._sleeps, (due, next(self._order), invocation, answer))
            case "call":
                self._call(invocation, index, command)
            case "send":
                self._send(invocation, index, command)
            case "output":
                self.answered(invocation, command.payload)
            case "failure":
                failure = Failure(command.status, command.target, None, dict(command.metadata))
                self.answered(invocation, failure)
            case _:
                # A step's result is stored when it has one; nobody resolves awakeables here.
                assert command.kind in ("run", "awakeable"), command

    def begin(self, invocation: Invocation) -> Invocation:
        """Take a call and run it when its turn comes."""
        raise NotImplementedError

    def answered(self, invocation: Invocation, result: bytes | Failure) -> None:
        """An invocation has its answer."""
        raise NotImplementedError

    def next_wake_up(self) -> float | None:
        """When the sleep that ends first ends."""
        return self._sleeps[0][0] if self._sleeps else None

    def wake_next(self) -> bool:
        """End the sleep that ends first, moving the clock to its end; whether there was one."""
        if not self._sleeps:
            return False
        due, _, invocation, handle = heapq.heappop(self._sleeps)
        self.now = max(self.now, due)
        invocation.notify(handle, None)
        return True

    def _touch_state(self, invocation: Invocation, answer: int, command: Command) -> None:
        state = self.states[invocation.rpc.component.name, invocation.key]
        match command.kind:
            case "get":
                invocation.notify(answer, state.get(command.target))
            case "keys":
                invocation.notify(answer, sorted(state))
            case "clear_all":
                state.clear()
            case "set":
                state[command.target] = command.payload
            case _:
                state.pop(command.target, None)

    def _touch_promise(self, invocation: Invocation, answer: int, command: Command) -> None:
        name = ((invocation.rpc.component.name, invocation.key), command.target)
        value = self._promises.get(name)
        if command.kind == "resolve":
            if value is not None:
                invocation.notify(answer, Failure(409, "The promise was completed before"))
                return
            self._promises[name] = command.payload
            invocation.notify(answer, None)
            for waiter, handle in self._waiters.pop(name, []):
                waiter.notify(handle, command.payload)
        elif value is not None or command.kind == "peek":
            invocation.notify(answer, value)
        else:
            self._waiters[name].append((invocation, answer))

    def _call(self, caller: Invocation, index: int, command: Command) -> None:
        id = f"{caller.id}.{index}"
        caller.notify(id_handle(index), id)
        rpc = self.rpcs.get(command.target)
        if rpc is None:
            self.problems.append(SurpriseError(f"{caller.rpc.target} called {command.target}"))
            raise ProcessDiedError("called what nobody serves")
        stub = self.stubs.get(command.target)
        if stub is not None:
            caller.notify(result_handle(index), _stubbed(stub, rpc, command))
            return
        parent = (caller, result_handle(index))
        self.begin(Invocation(caller.platform, rpc, command.key, command.payload, id, {}, parent))

    def _send(self, sender: Invocation, index: int, command: Command) -> None:
        sent = Sent(
            id=f"{sender.id}.{index}",
            target=command.target,
            key=command.key,
            payload=command.payload,
            due=self.now + command.delay_seconds,
            delay=timedelta(seconds=command.delay_seconds),
        )
        sender.notify(id_handle(index), sent.id)
        self.outbox.append(sent)
        self.history.append(sent)


def _stubbed(stub: Stub, rpc: Rpc[Any, Any], command: Command) -> bytes | Failure:
    try:
        return stub(rpc.request.from_json(command.payload), command.key).to_json()
    except RpcError as error:
        return Failure(error.code.http_status, error.message, None, wire.to_metadata(error))
