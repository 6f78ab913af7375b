"""Restate in a few hundred lines: keyed state, exclusive handlers, one-way sends, timers.

A test serves the components that it is about, stubs what lies below them, and makes calls:

    async with FakePlatform() as platform:
        platform.serve(conversation.component, Threads(...), Reads())
        platform.stub(generation.stop, lambda request, key: StopResponse())
        await platform.call(conversation.open_thread, OpenRequest(), key="acme/alice/one")

One-way sends wait in `platform.outbox` until `deliver` or `settle`; durable time moves only in
`advance`, or when a call waits for nothing else. Every invocation that answers is replayed from
its journal, and a replay that asks for anything else fails the test, as does a call that nobody
serves. `suspends=True` ends every attempt at each wait; `dies_at=n` loses the process right
before the n-th thing becomes durable (`crashes.py` plays a story for every n).
"""

import asyncio
import hashlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Self, TypeVar, cast
from unittest.mock import patch

from restate.handler import Handler
from restate.vm import Failure
from restate.vm import Invocation as Input

from chassis.identity import Caller
from chassis.message import Message
from chassis.rpc import Component, Rpc
from chassis.serve import Handler as ComponentHandler
from chassis.serve import handlers_of, restate_service
from tests.support.fake_context import Attempt, End, Line, attempt
from tests.support.fake_effects import FakeEffects, SurpriseError
from tests.support.fake_invocation import Invocation
from tests.support.fake_journal import CANCEL, ProcessDiedError
from tests.support.fake_vm import FakeVM

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
_PATIENCE_SECONDS = 10.0


class FakePlatform(FakeEffects):
    """See the module."""

    def __init__(
        self,
        *,
        suspends: bool = False,
        dies_at: int | None = None,
        on_death: Callable[[], None] | None = None,
        attempts: int = 3,
    ) -> None:
        """on_death: loses what the process holds, and all its attempts die; without it only the
            line of the one that stores at that moment breaks.
        attempts: of a handler that raises what no handler should, before its component's policy
            decides.
        """
        super().__init__()
        self.invocations: list[Invocation] = []
        self.stored = 0
        self._suspends = suspends
        self._dies_at = dies_at
        self._on_death = on_death
        self._attempts = attempts
        self._handlers: dict[str, Handler[Any, Any]] = {}
        self._open: set[Invocation] = set()
        self._workflows: dict[tuple[str, str], Invocation] = {}
        self._queues: dict[tuple[str, str], list[Invocation]] = defaultdict(list)
        self._calls = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._closed = False
        self._patches = ExitStack()

    async def __aenter__(self) -> Self:
        # The one clock that handlers read; asyncio and pytest keep their own.
        self._patches.enter_context(patch.object(time, "time", lambda: self.now))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            # The replay of what was called last may still be under way.
            await self._until(lambda: not any(invocation.over for invocation in self._open))
        self._patches.close()
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if kind is None:
            self._check()

    # What a test sets up and looks at.

    def serve(self, component: Component, *implementations: object) -> None:
        """Let these objects implement a component, through the guard of the real one."""
        self.serve_handlers(component, [h for each in implementations for h in handlers_of(each)])

    def serve_handlers(self, component: Component, handlers: Iterable[ComponentHandler]) -> None:
        """As `serve`, for handlers that were collected before."""
        handlers = list(handlers)
        service = restate_service(component, handlers, "")
        for handler in handlers:
            self._handlers[handler.rpc.target] = cast("Any", service).handlers[handler.rpc.name]
            self.rpcs[handler.rpc.target] = handler.rpc

    def stub(self, rpc: Rpc[Q, R], answer: Callable[[Q, str], R]) -> None:
        """Answer calls of a method; `answer` gets request and key and may raise an RpcError."""
        self.stubs[rpc.target] = answer
        self.rpcs[rpc.target] = cast("Rpc[Any, Any]", rpc)

    def state(self, component: Component, key: str) -> dict[str, bytes]:
        """What is stored under one key."""
        return self.states[component.name, key]

    def sent(self, rpc: Rpc[Q, R]) -> list[tuple[str, Q]]:
        """Key and request of every send of a method that there ever was, in order."""
        sends = [sent for sent in self.history if sent.target == rpc.target]
        return [(sent.key, rpc.request.from_json(sent.payload)) for sent in sends]

    def effects(self) -> dict[str, Any]:
        """Everything that others can see: states, sends, and how invocations ended."""
        return {
            "states": {at: dict(state) for at, state in self.states.items() if state},
            "sends": {(s.id, s.target, s.key, s.payload, s.delay) for s in self.history},
            "results": {i.id: i.result for i in self.invocations},
        }

    @property
    def died(self) -> bool:
        """Whether the crash that was asked for has happened."""
        return self._dies_at is not None and self.stored >= self._dies_at

    # What a test does.

    async def call(
        self,
        rpc: Rpc[Q, R],
        request: Q,
        *,
        key: str = "",
        caller: Caller | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> R:
        """Call a handler and wait for its answer; durable time passes if it must.

        Raises the RpcError that the handler answered with.
        """
        invocation = self.start(rpc, request, key=key, caller=caller, headers=headers)
        return cast("R", await self.finish(invocation))

    def start(
        self,
        rpc: Rpc[Q, R],
        request: Q,
        *,
        key: str = "",
        caller: Caller | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Invocation:
        """Call a handler without waiting for it."""
        sent = {**(caller.to_headers() if caller else {}), **(headers or {})}
        made = self.rpcs[rpc.target]
        id = f"inv_{next(self._calls)}"
        return self.begin(Invocation(self, made, key, request.to_json(), id, sent))

    async def finish(self, invocation: Invocation) -> Message:
        """Wait for an answer, letting durable time pass when nothing else would happen."""
        while not invocation.done:
            await self._until(lambda: invocation.done or self._resting())
            if not invocation.done and not self.wake_next():
                raise SurpriseError(f"{invocation.rpc.target} waits for what cannot come")
        return invocation.message()

    async def rest(self) -> None:
        """Wait until no invocation can go on by itself."""
        await self._until(self._resting)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the handlers run until a condition holds."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not condition():
                self._check()
                await asyncio.sleep(0.001)

    async def settle(self) -> None:
        """Deliver every send that is due, and what those send, until nothing moves."""
        await self.rest()
        while self.deliver():
            await self.rest()

    def deliver(self) -> list[Invocation]:
        """Deliver the sends that are due and have a handler here, in the order of sending."""
        due = [s for s in self.outbox if s.due <= self.now and s.target in self._handlers]
        self.outbox = [s for s in self.outbox if s not in due]
        return [
            self.begin(Invocation(self, self.rpcs[s.target], s.key, s.payload, s.id)) for s in due
        ]

    async def advance(self, seconds: float) -> None:
        """Let durable time pass: sleeps end and delayed sends arrive at their moment."""
        end = self.now + seconds
        await self.settle()
        while (moment := self._next_moment()) is not None and moment <= end:
            self.now = max(self.now, moment)
            while (self.next_wake_up() or end + 1) <= self.now:
                self.wake_next()
            await self.settle()
        self.now = end

    def cancel(self, invocation: Invocation) -> None:
        """What an operator does: calls that it waits for are cancelled first."""
        for other in self.invocations:
            if other.parent is not None and other.parent[0] is invocation and not other.over:
                self.cancel(other)
        invocation.notify(CANCEL, None)

    def kill(self, invocation: Invocation) -> None:
        """Break the line of the attempt that runs; it is taken up again."""
        if invocation.vm is not None and invocation.line is not None:
            invocation.vm.die(ProcessDiedError("the line broke"))
            invocation.line.wake()

    # What invocations need (fake_invocation.Effects).

    def changed(self) -> None:
        """Whoever waits for a condition should look again."""
        self._news.set()

    def count(self) -> None:
        """Count what becomes durable, or lose the process before it does."""
        self.stored += 1
        if self.stored == self._dies_at:
            if self._on_death is not None:
                for invocation in self.invocations:
                    self.kill(invocation)
                self._on_death()
            raise ProcessDiedError("the process died")

    # Running.

    def begin(self, invocation: Invocation) -> Invocation:
        """Take a call; an exclusive one waits until its key is free."""
        rpc = invocation.rpc
        first = self._workflows.setdefault((rpc.target, invocation.key), invocation)
        if rpc.main and first is not invocation:
            # A workflow runs once for each key: a second send is dropped, a second call refused.
            if invocation.parent is not None:
                caller, handle = invocation.parent
                caller.notify(handle, Failure(409, "The workflow was started before"))
            return first
        self.invocations.append(invocation)
        self._open.add(invocation)
        queue = self._queues[rpc.component.name, invocation.key]
        if invocation.exclusive:
            queue.append(invocation)
            invocation.queued = queue[0] is not invocation
        if not invocation.queued:
            self._run(invocation)
        return invocation

    def _run(self, invocation: Invocation) -> None:
        invocation.queued = False
        task = asyncio.create_task(self._drive(invocation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, invocation: Invocation) -> None:
        try:
            while not (invocation.over or invocation.paused or self._closed):
                await self._once(invocation)
            # A play with a crash replays where it matters and is played a hundred times over.
            if invocation.over and not invocation.failures and self._dies_at is None:
                await self._replay(invocation)
        except Exception as problem:
            self.problems.append(problem)
        finally:
            invocation.done = True
            self._open.discard(invocation)
            self.changed()

    async def _once(self, invocation: Invocation) -> None:
        invocation.attempts += 1
        vm, invocation.line = self._state_machine(invocation), Line()
        invocation.vm = vm
        done = await self._attempt(invocation, vm, invocation.line)
        invocation.vm = invocation.line = None
        if done.end is End.SUSPENDED and not self._closed:
            await self._woken(invocation, vm)
        elif done.end is End.MISMATCH:
            raise SurpriseError(f"{invocation.rpc.target}: {done.failure}") from done.failure
        elif done.end is End.DIED:
            self._check()
        elif done.failure is not None:
            self._failed(invocation, done.failure)

    async def _woken(self, invocation: Invocation, vm: FakeVM) -> None:
        """Wait until there is something that the attempt which was suspended has not seen."""
        if vm.has_seen_all:
            invocation.woken.clear()
            invocation.suspended = True
            self.changed()
            await invocation.woken.wait()

    async def _replay(self, invocation: Invocation) -> None:
        vm = self._state_machine(invocation, verifying=True)
        done = await self._attempt(invocation, vm, Line())
        if done.end is not End.ANSWERED or not vm.asked_for_all:
            message = f"{invocation.rpc.target} replayed: {done.end.name} {done.failure!r}"
            raise SurpriseError(message) from done.failure

    def _state_machine(self, invocation: Invocation, *, verifying: bool = False) -> FakeVM:
        component = invocation.rpc.component
        state = dict(self.state(component, invocation.key)) if component.eager_state else None
        return FakeVM(
            invocation.journal, invocation, state, suspends=self._suspends, verifying=verifying
        )

    async def _attempt(self, invocation: Invocation, vm: FakeVM, line: Line) -> Attempt:
        seed = hashlib.blake2b(invocation.id.encode(), digest_size=8).digest()
        received = Input(
            invocation_id=invocation.id,
            random_seed=int.from_bytes(seed),
            headers=list(invocation.headers.items()),
            input_buffer=invocation.payload,
            key=invocation.key,
        )
        handler = self._handlers[invocation.rpc.target]
        # A task of its own: the SDK marks replays in a context variable.
        return await asyncio.create_task(attempt(vm, handler, received, line))

    def _failed(self, invocation: Invocation, failure: BaseException) -> None:
        """Retry, then do what the component's policy says."""
        invocation.failures.append(failure)
        if len(invocation.failures) < self._attempts:
            return
        if invocation.rpc.component.retries.on_max_attempts == "kill":
            self.answered(invocation, Failure(500, repr(failure)))
        else:
            invocation.paused = True

    def answered(self, invocation: Invocation, result: bytes | Failure) -> None:
        """Tell the caller, and let the next of the key begin."""
        invocation.result = result
        if invocation.parent is not None:
            caller, handle = invocation.parent
            caller.notify(handle, result)
        queue = self._queues[invocation.rpc.component.name, invocation.key]
        if invocation in queue:
            queue.remove(invocation)
            if queue:
                self._run(queue[0])
        self.changed()

    # Waiting.

    def _resting(self) -> bool:
        return all(invocation.resting for invocation in self._open)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not self.problems and not condition():
                self._news.clear()
                await self._news.wait()
        self._check()

    def _check(self) -> None:
        if self.problems:
            raise self.problems[0]

    def _next_moment(self) -> float | None:
        moments = [sent.due for sent in self.outbox if sent.target in self._handlers]
        waking = self.next_wake_up()
        return min(moments if waking is None else [*moments, waking], default=None)
