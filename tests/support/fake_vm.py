"""The SDK's state machine without a server: one attempt of one invocation over its journal.

The real one is native code that speaks Restate's protocol. This one keeps the same bargain with
`ServerInvocationContext`, so that the SDK's own futures, `select`, `gather` and cancellation run
in tests as they are:

- commands are buffered and become durable when the handler waits, in order;
- a command that the journal holds is compared, not given again;
- completions become visible in the order in which they came;
- a step runs when its result is waited for, and its result is durable before it is seen.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from restate.vm import (
    DO_PROGRESS_ANY_COMPLETED,
    DO_PROGRESS_CANCEL_SIGNAL_RECEIVED,
    DO_PROGRESS_WAIT_EXTERNAL_PROGRESS,
    NOT_READY,
    SUSPENDED,
    AllCompletedUnresolvedFuture,
    DoProgressExecuteRun,
    DoProgressResult,
    Failure,
    FirstCompletedUnresolvedFuture,
    NotificationType,
    Run,
    RunRetryConfig,
    SingleUnresolvedFuture,
    Suspended,
    UnresolvedFuture,
    VMWrapper,
)

from tests.support.fake_journal import (
    CANCEL,
    Command,
    Journal,
    JournalMismatchError,
    ProcessDiedError,
    Value,
    id_handle,
    result_handle,
)


class Server(Protocol):
    """What an attempt needs of the platform that runs it."""

    def store(self, index: int, command: Command) -> None:
        """Make a command durable and set off its effect; raises ProcessDiedError."""
        ...

    def store_step(self, handle: int, value: Value) -> None:
        """Make a step's result durable; raises ProcessDiedError."""
        ...

    def rested(self) -> None:
        """The attempt waits for something from outside."""
        ...


@dataclass(frozen=True, slots=True)
class CallHandles:
    """What the SDK waits on for a call."""

    invocation_id_handle: int
    result_handle: int


class FakeVM(VMWrapper):
    """One attempt.

    state: preloaded state, or None for an object whose state is read lazily.
    suspends: end the attempt at each wait, as a server with an inactivity timeout of zero does;
        what comes during an attempt is seen by the next one only.
    verifying: a replay of a finished invocation, which may ask for nothing new.
    """

    def __init__(
        self,
        journal: Journal,
        server: Server,
        state: dict[str, bytes] | None,
        *,
        suspends: bool = False,
        verifying: bool = False,
    ) -> None:
        self._journal = journal
        self._server = server
        self._preloaded = state is not None
        self._state: dict[str, bytes | None] = dict(state or {})
        self._known_notifications = len(journal.notifications) if suspends else None
        self._verifying = verifying
        self._known = len(journal.commands)
        self._position = 0
        self._pending: list[tuple[int, Command]] = []
        self._immediate: dict[int, Value] = {}
        self._seen = 0
        self._ready: dict[int, Value] = {}
        self._runs: set[int] = set()
        self._executing: set[int] = set()
        self.resting = False
        self.dead: BaseException | None = None
        self.step_failure: Failure | None = None
        self.ended = False

    def notify_input_closed(self) -> None:
        """End the attempt at the next wait; what comes from here on is for the next attempt."""
        if self._known_notifications is None:
            self._known_notifications = len(self._journal.notifications)

    @property
    def asked_for_all(self) -> bool:
        """Whether the handler gave every command that the journal holds."""
        return self._position >= self._known

    @property
    def _visible(self) -> int:
        if self._known_notifications is None:
            return len(self._journal.notifications)
        return self._known_notifications

    @property
    def has_seen_all(self) -> bool:
        """Whether everything that came was handed out."""
        return self._seen == len(self._journal.notifications)

    def die(self, reason: BaseException) -> BaseException:
        """End the attempt: whatever the handler does next, it stops there."""
        self.dead = self.dead or reason
        return self.dead

    # The bargain with the context: output, progress, results.

    def take_output(self) -> bytes:
        self._check_alive()
        while self._pending:
            index, command = self._pending.pop(0)
            if index in self._immediate:
                self._journal.immediate[index] = self._immediate[index]
            try:
                self._server.store(index, command)
            except ProcessDiedError as died:
                self._pending.clear()
                raise self.die(died) from None
        return b""

    def is_replaying(self) -> bool:
        return self._position < self._known

    def is_completed(self, handle: int) -> bool:
        return handle in self._ready

    def do_progress(self, unresolved_future: UnresolvedFuture) -> DoProgressResult | Suspended:
        self._check_alive()
        while True:
            if self._satisfied(unresolved_future):
                return DO_PROGRESS_ANY_COMPLETED
            if CANCEL in self._ready:
                del self._ready[CANCEL]
                return DO_PROGRESS_CANCEL_SIGNAL_RECEIVED
            if self._seen == self._visible:
                break
            handle, value = self._journal.notifications[self._seen]
            self._ready[handle] = value
            self._seen += 1
        awaited = sorted(_handles(unresolved_future) & self._runs)
        if awaited:
            return self._execute(awaited[0])
        if self._executing:
            return DO_PROGRESS_WAIT_EXTERNAL_PROGRESS
        if self._verifying:
            raise self.die(JournalMismatchError("a replay waits for what never came"))
        if self._known_notifications is not None:
            return SUSPENDED
        self.resting = True
        self._server.rested()
        return DO_PROGRESS_WAIT_EXTERNAL_PROGRESS

    def take_notification(self, handle: int) -> NotificationType:
        return self._ready.pop(handle) if handle in self._ready else NOT_READY

    def notify_input(self, input_buf: bytes) -> None:
        pass

    def notify_error(
        self, error: str, stacktrace: str, delay_override: timedelta | None = None
    ) -> None:
        pass

    def sys_end(self) -> None:
        self.ended = True

    # Commands.

    def sys_get_state(self, name: str, entry_name: str | None = None) -> int:
        index = self._next(Command("get", name))
        if index >= self._known and (self._preloaded or name in self._state):
            self._answer_now(index, self._state.get(name))
        elif index in self._journal.immediate:
            self._ready[result_handle(index)] = self._journal.immediate[index]
        return result_handle(index)

    def sys_get_state_keys(self, entry_name: str | None = None) -> int:
        index = self._next(Command("keys"))
        if index >= self._known and self._preloaded:
            self._answer_now(index, sorted(k for k, v in self._state.items() if v is not None))
        elif index in self._journal.immediate:
            self._ready[result_handle(index)] = self._journal.immediate[index]
        return result_handle(index)

    def sys_set_state(self, name: str, value: bytes, entry_name: str | None = None) -> None:
        self._next(Command("set", name, payload=value))
        self._state[name] = value

    def sys_clear_state(self, name: str, entry_name: str | None = None) -> None:
        self._next(Command("clear", name))
        self._state[name] = None

    def sys_clear_all_state(self, entry_name: str | None = None) -> None:
        self._next(Command("clear_all"))
        self._state = dict.fromkeys(self._state)

    def sys_sleep(self, millis: int, name: str | None = None) -> int:
        return result_handle(self._next(Command("sleep", name or "", delay_seconds=millis / 1000)))

    def sys_call(
        self,
        service: str,
        handler: str,
        parameter: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> CallHandles:
        index = self._next(
            Command("call", f"{service}/{handler}", key or "", parameter, 0, idempotency_key or "")
        )
        return CallHandles(id_handle(index), result_handle(index))

    def sys_send(
        self,
        service: str,
        handler: str,
        parameter: bytes,
        key: str | None = None,
        delay: int | None = None,
        idempotency_key: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> int:
        seconds = (delay or 0) / 1000
        target = f"{service}/{handler}"
        command = Command("send", target, key or "", parameter, seconds, idempotency_key or "")
        return id_handle(self._next(command))

    def sys_run(self, name: str) -> Run:
        index = self._next(Command("run", name))
        handle = result_handle(index)
        replayed = any(known == handle for known, _ in self._journal.notifications)
        if not replayed:
            self._runs.add(handle)
        return Run(replayed=replayed, handle=handle)

    def sys_awakeable(self) -> tuple[str, int]:
        index = self._next(Command("awakeable"))
        return f"awakeable {index}", result_handle(index)

    def sys_get_promise(self, name: str) -> int:
        return result_handle(self._next(Command("promise", name)))

    def sys_peek_promise(self, name: str) -> int:
        return result_handle(self._next(Command("peek", name)))

    def sys_complete_promise_success(self, name: str, value: bytes) -> int:
        return result_handle(self._next(Command("resolve", name, payload=value)))

    def sys_write_output_success(self, output: bytes) -> None:
        self._next(Command("output", payload=output))

    def sys_write_output_failure(self, output: Failure) -> None:
        metadata = tuple(sorted((output.metadata or {}).items()))
        self._next(Command("failure", output.message, status=output.code, metadata=metadata))

    # Steps.

    def propose_run_completion_success(self, handle: int, output: bytes) -> None:
        self._complete_step(handle, output)

    def propose_run_completion_failure(self, handle: int, output: Failure) -> None:
        self._complete_step(handle, output)

    def propose_run_completion_transient(
        self, handle: int, failure: Failure, attempt_duration_ms: int, config: RunRetryConfig
    ) -> None:
        self._executing.discard(handle)
        self.step_failure = failure
        self.die(ProcessDiedError("a step raised an exception that is not an RpcError"))

    def _complete_step(self, handle: int, value: bytes | Failure) -> None:
        self._executing.discard(handle)
        try:
            if self.dead is None:
                self._server.store_step(handle, value)
        except ProcessDiedError as died:
            self.die(died)  # seen where the handler waits; here it would only be logged

    def _execute(self, handle: int) -> DoProgressExecuteRun:
        if self._verifying:
            raise self.die(JournalMismatchError("a replay ran a step again"))
        self._runs.discard(handle)
        self._executing.add(handle)
        return DoProgressExecuteRun(handle)

    def _next(self, command: Command) -> int:
        self._check_alive()
        index = self._position
        self._position += 1
        if index < self._known:
            known = self._journal.commands[index]
            if known != command:
                message = f"command {index} was\n  {known}\nand is in the replay\n  {command}"
                raise self.die(JournalMismatchError(message))
        elif self._verifying:
            raise self.die(JournalMismatchError(f"a replay asked for more: {command}"))
        else:
            self._pending.append((index, command))
        return index

    def _answer_now(self, index: int, value: Value) -> None:
        self._immediate[index] = value
        self._ready[result_handle(index)] = value

    def _satisfied(self, future: UnresolvedFuture) -> bool:
        match future:
            case SingleUnresolvedFuture(handle):
                return handle in self._ready
            case FirstCompletedUnresolvedFuture(children):
                return any(map(self._satisfied, children))
            case AllCompletedUnresolvedFuture(children):
                return all(map(self._satisfied, children))

    def _check_alive(self) -> None:
        if self.dead is not None:
            raise self.dead


def _handles(future: UnresolvedFuture) -> set[int]:
    match future:
        case SingleUnresolvedFuture(handle):
            return {handle}
        case FirstCompletedUnresolvedFuture(children) | AllCompletedUnresolvedFuture(children):
            return {handle for child in children for handle in _handles(child)}
