"""What a durable step gets when it reads a model's stream, and what live readers get meanwhile."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from errors import RpcError, wire
from services.openrouter.wire import Finish


@dataclass(frozen=True, slots=True)
class StreamDelta:
    """New text for live readers. Gapless within an attempt; offset in code points."""

    run_id: str
    attempt_id: str
    attempt: int
    offset: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of an answer, journaled by the step that read it.

    attempt_id, attempt: the upstream call this text belongs to; when they differ from what the
        caller had, its text so far is void and `offset_start` is 0.
    offset_start, offset: `text` is the answer's code points from the one to the other.
    done: nothing will follow, because of `finish` (complete), `error` (failed) or `stopped`. Text
        of a failed or stopped answer stays valid as its partial.
    error: the `error` object of the public envelope; `failure` reads it.
    first_token_ms: from sending the request to the first text; None while there is none.
    at: unix seconds.
    """

    attempt_id: str
    attempt: int
    offset_start: int
    text: str
    offset: int
    done: bool
    stopped: bool = False
    finish: Finish | None = None
    error: dict[str, Any] | None = None
    first_token_ms: int | None = None
    at: float = 0.0

    @property
    def failure(self) -> RpcError | None:
        """Why the answer failed, if it did."""
        return None if self.error is None else wire.from_envelope({"error": self.error})

    def to_json(self) -> dict[str, Any]:
        """The form for journals and state."""
        return _ADAPTER.dump_python(self, mode="json")

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Chunk":
        """The inverse of `to_json`; fields of newer versions are ignored."""
        return _ADAPTER.validate_python(value)


def unix_now() -> float:
    """The clock for `Chunk.at`. Chunks are made inside steps, so the time is journaled."""
    return time.time()  # noqa: TID251


def nothing(attempt_id: str | None, attempt: int, offset: int) -> Chunk:
    """The chunk of a run that was stopped and has no stream here: no text, done."""
    return Chunk(
        attempt_id=attempt_id or "",
        attempt=attempt,
        offset_start=offset,
        text="",
        offset=offset,
        done=True,
        stopped=True,
        at=unix_now(),
    )


_ADAPTER = TypeAdapter(Chunk)
