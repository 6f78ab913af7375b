"""What the platform takes: memory and processor of every process, and disk, over time."""

import asyncio
import contextlib
import os
import statistics
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bench.load import cpu_seconds, resident_megabytes
from devstack.stack import EDGE, HANDLERS, RESTATE, Stack
from soak.history import History

WARM_SECONDS = 600.0
"""A process may grow for so long after its start: caches fill, and Restate its write buffers."""
JUDGED_SECONDS = 300.0
"""A life that lasts no longer than this after it is warm is too short to be judged."""
GROWTH_PART, GROWTH_MEGABYTES = 0.10, 16.0
"""From the first to the last third of the warm life, memory may grow by this part or by so much,
whichever is more: the allocators of all three programs breathe by about that."""
JUDGED = (HANDLERS, EDGE, RESTATE)
OWN = "soak itself"


@dataclass
class Life:
    """One process from its start to its end: memory in megabytes at seconds of the soak."""

    name: str
    pid: int
    memory: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    cpu: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def warm(self) -> list[tuple[float, float]]:
        """The memory after the time in which it may grow."""
        return [(at, mb) for at, mb in self.memory if at - self.memory[0][0] >= WARM_SECONDS]

    def load(self) -> list[tuple[float, float]]:
        """Processors used, between one sample and the next."""
        return [
            (later[0], (later[1] - earlier[1]) / (later[0] - earlier[0]))
            for earlier, later in pairwise(self.cpu)
        ]


@dataclass(frozen=True)
class Growth:
    """How a warm process grew."""

    life: Life
    before: float
    after: float
    minutes: float

    @property
    def allowed(self) -> float:
        """Megabytes."""
        return max(self.before * GROWTH_PART, GROWTH_MEGABYTES)

    @property
    def too_much(self) -> bool:
        """Whether that is a leak."""
        return self.after - self.before > self.allowed

    @property
    def per_hour(self) -> float:
        """Megabytes; the thirds' middles are two thirds of the time apart."""
        return (self.after - self.before) / (self.minutes * 2 / 3) * 60


def growth_of(life: Life) -> Growth | None:
    """The medians of the first and the last third; None where the life was too short."""
    warm = life.warm()
    if len(warm) < 6 or warm[-1][0] - warm[0][0] < JUDGED_SECONDS:
        return None
    third = len(warm) // 3
    before = statistics.median(mb for _, mb in warm[:third])
    after = statistics.median(mb for _, mb in warm[-third:])
    return Growth(life, before, after, (warm[-1][0] - warm[0][0]) / 60)


class Curves:
    """Samples one stack. `disk`: when, megabytes of Restate's data, and turns so far."""

    def __init__(self, history: History, stack: Stack, every_seconds: float) -> None:
        self._history = history
        self._stack = stack
        self._every = every_seconds
        self.lives: list[Life] = []
        self.disk: list[tuple[float, float, int]] = []

    async def sample(self) -> None:
        """Until it is cancelled."""
        data = self._stack.options.data_path / "restate"
        while True:
            for name, process in self._stack.processes.items():
                self._sample(name, process.pid)
            self._sample(OWN, os.getpid())
            size = await asyncio.to_thread(megabytes_below, data)
            self.disk.append((self._history.now(), size, len(self._history.turns)))
            await asyncio.sleep(self._every)

    def growths(self) -> list[Growth]:
        """Of every life of the platform that was long enough."""
        found = (growth_of(life) for life in self.lives if life.name in JUDGED)
        return [growth for growth in found if growth is not None]

    def bytes_per_turn(self) -> float:
        """How much of the disk a turn took, on average over the soak."""
        (_, first, none), (_, last, turns) = self.disk[0], self.disk[-1]
        return (last - first) * 1_000_000 / max(turns - none, 1)

    def _sample(self, name: str, pid: int | None) -> None:
        if pid is None:
            return
        at = self._history.now()
        try:
            memory, cpu = _own() if name == OWN else (resident_megabytes(pid), cpu_seconds(pid))
        except (OSError, ValueError, IndexError):
            return  # it died while it was looked at
        life = next((each for each in self.lives if (each.name, each.pid) == (name, pid)), None)
        if life is None:
            life = Life(name, pid)
            self.lives.append(life)
        life.memory.append((at, memory))
        life.cpu.append((at, cpu))


def megabytes_below(folder: Path) -> float:
    """The size of all files; one that goes meanwhile counts as nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(path, name)).st_size
    return total / 1_000_000


def _own() -> tuple[float, float]:
    """Memory and processor time of this process without the platform, which it has started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = int(status.partition("VmRSS:")[2].split()[0])
    return kilobytes / 1024, time.process_time()
