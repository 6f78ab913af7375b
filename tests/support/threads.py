"""Threads of any length, written as the actor's own ledger writes them, without its handlers."""

from dataclasses import dataclass
from typing import Any, cast

from restate import ObjectContext

from actors.conversation import contract
from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    MESSAGE_CREATED,
    RUN_COMPLETED,
    RUN_STARTED,
    ChatMessage,
    Role,
)
from actors.conversation.contract.run import Run, RunStatus
from actors.conversation.contract.thread import OpenRequest
from actors.conversation.ledger import Ledger
from actors.conversation.state import Head, PendingRun
from tests.support.fake_platform import FakePlatform


@dataclass(frozen=True)
class Said:
    """A message of the plain list that the thread is compared with."""

    content: str
    role: Role
    run_id: str
    sequence: int


class _Writing:
    """The one method of a context that a ledger needs."""

    def __init__(self, state: dict[str, bytes]) -> None:
        self._state = state

    def set(self, name: str, value: bytes, **_: Any) -> None:
        self._state[name] = value


class WrittenThread:
    """A thread that grows message by message; `said` is the plain list of what it holds."""

    def __init__(self, platform: FakePlatform, key: str) -> None:
        self._platform = platform
        state = platform.state(contract.component, key)
        head = Head(opened=OpenRequest(), created_at=platform.time)
        self._ledger = Ledger(cast("ObjectContext", _Writing(state)), head)
        self.said: list[Said] = []
        self.runs: list[str] = []
        self._ledger.save()

    def ask(self, content: str) -> PendingRun:
        """A user's message; its run is queued, or active when nobody is."""
        run_id = f"run_{len(self.runs)}"
        self.runs.append(run_id)
        sequence = self._append(MESSAGE_CREATED, run_id, Role.user, content)
        run = Run(run_id=run_id, status=RunStatus.QUEUED)
        pending = PendingRun(run=run, turn=sequence)
        head = self._ledger.head
        if head.active is None:
            head.active = pending
        else:
            head.queue.append(pending)
        self._ledger.save()
        return pending

    def answer(self, content: str) -> None:
        """The answer of the active run, if there is one, and the end of it."""
        head = self._ledger.head
        active = head.active
        if active is None:
            return
        run_id = active.run.run_id
        at = self._platform.time
        self._ledger.append(RUN_STARTED, at, run_id=run_id, attempt=1, turn=active.turn)
        if content:
            self._append(MESSAGE_COMPLETED, run_id, Role.assistant, content, active.turn)
        self._ledger.append(RUN_COMPLETED, at, run_id=run_id, attempt=1, turn=active.turn)
        self._ledger.keep(active.run.model_copy(update={"status": RunStatus.COMPLETED}))
        head.active = head.queue.pop(0) if head.queue else None
        self._ledger.save()

    def _append(self, kind: str, run_id: str, role: Role, content: str, turn: int = 0) -> int:
        sequence = self._ledger.append(
            kind,
            self._platform.time,
            run_id=run_id,
            message_id=f"msg_{len(self.said)}",
            message=ChatMessage(role=role, content=content),
            turn=turn,
        )
        self.said.append(Said(content, role, run_id, sequence))
        return sequence
