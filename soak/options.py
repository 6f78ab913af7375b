"""How long a soak lasts and how much happens in it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """One soak. Processes die in the first and the last fifth; between these only the vendor fails,
    so that processes live long enough for their memory to be judged.

    minutes: of load; auditing and generated calls come after.
    rate: turns a second that writers aim at.
    threads: short threads at any time; each is replaced when it has had its messages.
    long_threads: threads that live from the beginning to the end, with several writers each.
    tools: the part of the short threads whose model calls tools; half of these ask for approval.
    generated: how many generated calls; 0 leaves the phase out.
    """

    folder: Path
    minutes: float = 60
    rate: float = 6
    threads: int = 40
    long_threads: int = 4
    tools: float = 0.3
    generated: int = 20_000

    @property
    def seconds(self) -> float:
        """Of load."""
        return self.minutes * 60

    def stormy(self, at: float) -> bool:
        """Whether processes may die so many seconds after the beginning."""
        part = at / self.seconds
        return part < 0.2 or part > 0.8
