"""The vocabulary of the double's control interface, shared by the server and `control.py`.

Positions count tokens: `cut_after=3` means that three tokens were sent and the fourth never is.
"""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ToolCall(_Strict):
    """A tool call that the scripted model makes; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"


class Answer(_Strict):
    """How one call is answered. With no field set: the default answer, an echo."""

    text: str | None = None
    tokens: list[str] | None = None
    """The exact pieces to send, instead of `text` cut at words."""
    token_count: int | None = None
    """That many generated tokens instead."""
    size_bytes: int | None = None
    """A generated text of that many bytes (ASCII), in pieces of about a kilobyte."""
    reasoning: str = ""
    tool_calls: list[ToolCall] = []
    finish_reason: str = ""
    model: str | None = None
    """The model that claims to have answered; default: the one that was asked."""
    provider: str = "Double"
    cost: float | None = None
    with_usage: bool = True
    with_done: bool = True

    first_token_delay_ms: float | None = None
    token_delay_ms: float | None = None

    status: int | None = None
    """Refuse the call with this HTTP status."""
    error_in_200: bool = False
    """Answer 200 with an error object in the place of an answer."""
    error_after: int | None = None
    """Send an error event after that many tokens."""
    error_code: int | str | None = None
    error_message: str = "Provider returned error"
    error_metadata: dict[str, Any] = {}
    retry_after: str | None = None
    raw_body: str | None = None
    """The body of a refusal, instead of OpenRouter's error object."""

    gate: str | None = None
    """The name of the gate at which `hold_after` or `hold_headers` waits."""
    hold_after: int | None = None
    hold_headers: bool = False
    stall_after: int | None = None
    """Say nothing more after that many tokens, until the client goes."""
    cut_after: int | None = None
    """Break the connection."""
    end_after: int | None = None
    """End the body properly, but without `[DONE]` and finish reason."""
    garbage_after: int | None = None
    """Send an event that is no JSON."""
    garbage: Literal["html", "binary"] | None = None
    """Answer 200 with something that is no answer at all."""
    comment_every_ms: float | None = None
    """Send keep-alive comments while holding or stalling."""
    crlf: bool = False
    write_bytes: int | None = None
    """Write the stream in pieces of that many bytes, through the middle of characters."""


class Rule(_Strict):
    """Answers for the calls that match, one each, in order; the first rule with one left wins."""

    answers: list[Answer]
    model: str | None = None
    contains: str | None = None
    """Text in the last user message."""
    repeat_last: bool = False


class Defaults(_Strict):
    """Pace of every answer that does not say otherwise."""

    first_token_delay_ms: float = 0.0
    token_delay_ms: float = 0.0


class ModelList(_Strict):
    """What `/models` answers: these rows instead of the usual ones, or this status."""

    models: list[dict[str, Any]] | None = None
    status: int | None = None


class Call(_Strict):
    """A chat call as the double saw it. Times are unix seconds."""

    index: int
    id: str
    model: str
    models: list[str]
    tried: list[str] = []
    served_model: str = ""
    stream: bool
    messages: list[dict[str, Any]]
    body: dict[str, Any]
    idempotency_key: str = ""
    started_at: float
    status: int = 0
    tokens_sent: int = 0
    text_sent: str = ""
    first_token_at: float | None = None
    finished: bool = False
    """The whole answer was sent."""
    waiting: bool = False
    """Holding at a gate, or stalling."""
    closed_at: float | None = None
    closed_by_client: bool = False


class Calls(_Strict):
    """Everything that was asked since the start or the last reset."""

    calls: list[Call]
    model_lists: int


class Wait(_Strict):
    """A condition on the calls; all that is set must hold. `call` picks one by index."""

    calls: int = 0
    closed: int = 0
    call: int | None = None
    tokens_sent: int = 0
    waiting: bool = False
    call_closed: bool = False
    timeout_seconds: float = 20.0


def words(text: str) -> list[str]:
    """`text` in the pieces a model might send."""
    return re.findall(r"\S+\s*|\s+", text)


def rate_limited(retry_after: str | None = None) -> Answer:
    """429, with or without a time to wait."""
    return Answer(
        status=429, error_message="Rate limit exceeded", error_code=429, retry_after=retry_after
    )


def no_credits() -> Answer:
    """402."""
    return Answer(status=402, error_message="Insufficient credits")


def moderated(flagged: str = "") -> Answer:
    """403 with OpenRouter's moderation metadata."""
    metadata = {
        "reasons": ["violence"],
        "flagged_input": flagged,
        "provider_name": "Double",
        "model_slug": "double/echo",
    }
    return Answer(
        status=403, error_message="Your input was flagged by moderation", error_metadata=metadata
    )


def context_exceeded(limit: int, requested: int) -> Answer:
    """400 for a conversation that is too long."""
    return Answer(
        status=400,
        error_message=f"This endpoint's maximum context length is {limit} tokens. However, you "
        f"requested about {requested} tokens. Please reduce the length of either one.",
    )
