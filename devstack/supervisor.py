"""Keeps a started stack alive: a process that dies is reported and started again.

The first death is answered at once, further ones after pauses that double, up to a bound; a process
that has lived for a while starts with a clean slate. Restate keeps what was in flight meanwhile.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from devstack.processes import Process, ProcessError
from devstack.stack import Stack

LONGEST_PAUSE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.5
_CLEAN_AFTER_SECONDS = 30.0
_LOG_LINES = 8
_DISK_FULL = "No space left on device"


@dataclass
class _Watched:
    process: Process
    started_at: float
    deaths: int = 0
    due: float | None = None


class Supervisor:
    """Watches one stack. `look` is to be called every now and then."""

    def __init__(
        self,
        stack: Stack,
        tell: Callable[[str], None],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` gets sentences for a person; `changed` is called when a process id is another."""
        self._tell = tell
        self._changed = changed
        self._clock = clock
        self._watched = [_Watched(process, clock()) for process in stack.processes.values()]

    def look(self) -> None:
        """Find who died, and start whose pause is over."""
        for watched in self._watched:
            if watched.due is None and not watched.process.running:
                self._died(watched)
            if watched.due is not None and self._clock() >= watched.due:
                self._start(watched)

    def _died(self, watched: _Watched) -> None:
        process, now = watched.process, self._clock()
        if now - watched.started_at > _CLEAN_AFTER_SECONDS:
            watched.deaths = 0
        pause = 0.0
        if watched.deaths:
            pause = min(_FIRST_PAUSE_SECONDS * 2 ** (watched.deaths - 1), LONGEST_PAUSE_SECONDS)
        watched.deaths += 1
        watched.due = now + pause
        when = f"in {pause:g} s" if pause else "now"
        self._tell(f"{process.name} ended with {process.ending()}; it is started again {when}.")
        tail = process.log_tail(_LOG_LINES)
        if _DISK_FULL in tail:
            self._tell("The disk is full: nothing goes on before there is room.")
        elif watched.deaths > 1 and tail:
            self._tell(f"The end of {process.command.log_path}:\n{tail}")
        # What the dead program had started may live and hold its ports.
        process.kill()
        if pause:
            self._changed()

    def _start(self, watched: _Watched) -> None:
        watched.due = None
        watched.started_at = self._clock()
        try:
            watched.process.start()
        except ProcessError as error:
            self._tell(str(error))
            watched.due = self._clock() + LONGEST_PAUSE_SECONDS
        self._changed()
