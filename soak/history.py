"""What clients of the soak said and were told, kept small: it lives for as long as the soak.

Everything here is written by one event loop. Times are seconds since the beginning.
"""

import asyncio
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

Json = dict[str, Any]
ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})


def digest(event: Json) -> bytes:
    """An event as a few bytes, by which two readings of it are compared."""
    text = json.dumps(event, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


@dataclass(slots=True)
class Said:
    """A message of one writer. Without `run_id` it was sent, but nobody knows whether accepted."""

    writer: int
    client_message_id: str
    text: str
    sent_at: float
    accepted_at: float = 0.0
    settled_at: float = 0.0
    run_id: str = ""
    message_id: str = ""
    cancelled: bool = False


@dataclass(slots=True)
class Seen:
    """The events that one reader saw, over any number of connections: digests, from 1 on."""

    reader: str
    digests: list[bytes] = field(default_factory=list[bytes])

    @property
    def last(self) -> int:
        """The sequence of the newest."""
        return len(self.digests)


@dataclass
class Story:
    """One thread, as its clients know it.

    said: by client message id, in the order of sending.
    open: accepted runs whose end nobody has seen yet.
    ended: the runs whose end somebody has seen.
    reading: how many readers are not at the end yet.
    closed: nothing will be said any more.
    tools: whether its model may call tools.
    asked: approvals that nobody has decided yet.
    """

    key: str
    owner: int
    writers: int = 1
    said: dict[str, Said] = field(default_factory=dict[str, Said])
    seen: list[Seen] = field(default_factory=list[Seen])
    open: dict[str, Said] = field(default_factory=dict[str, Said])
    ended: set[str] = field(default_factory=set[str])
    reading: int = 0
    closed: bool = False
    tools: bool = False
    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])
    _known: set[str] = field(default_factory=set[str])

    @property
    def over(self) -> bool:
        """Whether all is said, answered and read."""
        return self.closed and not self.open and not self.reading

    @property
    def accepted(self) -> list[Said]:
        """What was accepted, in the order of sending."""
        return [said for said in self.said.values() if said.run_id]

    def accept(self, said: Said, answer: Json, at: float) -> None:
        """The platform took it."""
        said.run_id, said.message_id = answer["runId"], answer["messageId"]
        said.accepted_at = at
        if said.run_id not in self.ended:
            self.open[said.run_id] = said

    def ask(self, approval_id: str) -> None:
        """A reader saw that a call waits for approval; each is decided once."""
        if approval_id not in self._known:
            self._known.add(approval_id)
            self.asked.put_nowait(approval_id)

    def end(self, run_id: str, at: float) -> Said | None:
        """A reader saw the end of a run; what it answered, when nobody had seen it before."""
        self.ended.add(run_id)
        said = self.open.pop(run_id, None)
        if said is not None:
            said.settled_at = at
        return said


@dataclass
class Mark:
    """Something that was done to the platform: `what` (`kill`, `stop`, `freeze` or `fault`) to
    whom or how (`name`), and when it was over; infinite while it is not."""

    what: str
    name: str
    at: float
    until: float = math.inf


@dataclass(frozen=True)
class Finding:
    """A promise that was broken."""

    at: float
    promise: str
    text: str


@dataclass
class History:
    """All that the report is made of.

    told: where findings are written as they come; a soak that is broken off has them, too.
    ends_at: when the load ends; `break_off` makes that now.
    accepts, turns: when, and how many milliseconds it took.
    refusals: answers that asked to try again, by code; what clients saw of the trouble.
    """

    told: TextIO | None = None
    ends_at: float = math.inf
    began: float = field(default_factory=time.monotonic)
    stories: list[Story] = field(default_factory=list[Story])
    marks: list[Mark] = field(default_factory=list[Mark])
    findings: list[Finding] = field(default_factory=list[Finding])
    accepts: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    turns: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    refusals: Counter[str] = field(default_factory=Counter[str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def break_off(self) -> None:
        """Let the load end now; what is under way is waited for, audited and reported."""
        self.ends_at = self.now()

    @contextmanager
    def marked(self, what: str, name: str) -> Generator[None]:
        """This is done to the platform in the block; whoever looks meanwhile sees that it is."""
        mark = Mark(what, name, self.now())
        self.marks.append(mark)
        try:
            yield
        finally:
            mark.until = self.now()

    def find(self, promise: str, text: str) -> None:
        """A promise was broken, now."""
        self.findings.append(Finding(self.now(), promise, text))
        if self.told is not None:
            print(f"{self.now():7.1f} s  {promise}: {text}", file=self.told, flush=True)
