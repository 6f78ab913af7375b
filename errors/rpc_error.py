"""RpcError and its typed details: the one error that crosses component boundaries."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from errors.codes import Code


def _read_duration(value: object) -> object:
    if isinstance(value, str) and value.endswith("s"):
        return timedelta(seconds=float(value[:-1]))
    return value


def _write_duration(value: timedelta) -> str:
    text = f"{value.total_seconds():.9f}".rstrip("0").rstrip(".")
    return f"{text}s"


Duration = Annotated[
    timedelta, BeforeValidator(_read_duration), PlainSerializer(_write_duration, return_type=str)
]


class Outcome(StrEnum):
    """Whether the work that a failed request asked for may have happened."""

    NOT_STARTED = "NOT_STARTED"
    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"


class _Detail(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class UpstreamError(_Detail):
    """What a vendor answered, trimmed and scrubbed before it gets here."""

    service: str = ""
    status_code: int = 0
    body: str = ""


class ModelError(_Detail):
    """What a model or its provider refused, with the limits it named."""

    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    limits: dict[str, int] = Field(default_factory=dict)


class RetryInfo(_Detail):
    """When a later try makes sense, and how many the platform has made."""

    retry_after: Duration | None = None
    attempts: int = 0


class FieldViolation(_Detail):
    """One thing wrong with a request. `field` is a path (`userMessage.parts[0].text`)."""

    field: str
    description: str


class HelpLink(_Detail):
    """Where a person can read on."""

    url: str


class ErrorDetails(_Detail):
    """The structured part of an error. `reason` is kept on the RpcError, not here."""

    upstream_error: UpstreamError | None = None
    model_error: ModelError | None = None
    retry_info: RetryInfo | None = None
    field_violations: tuple[FieldViolation, ...] = ()
    help_link: HelpLink | None = None

    def to_json(self) -> dict[str, Any]:
        """The wire form: camelCase, without anything that is absent or empty."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


NO_DETAILS = ErrorDetails()


class RpcError(Exception):
    """A failure with a code, a stable reason, a message fit for anyone, and details.

    `is_terminal` follows the code unless the raiser knows better (a vendor's 400 arrives as
    UPSTREAM_ERROR and no later try will help). `outcome` is for a raiser who knows better than the
    code whether the work may have happened. Two errors are equal when all of that is.
    """

    def __init__(
        self,
        code: Code,
        reason: str,
        message: str,
        details: ErrorDetails = NO_DETAILS,
        *,
        is_terminal: bool | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.is_terminal = (not code.retryable) if is_terminal is None else is_terminal
        self.outcome = outcome

    def _values(self) -> tuple[object, ...]:
        known = (self.code, self.reason, self.message, self.details)
        return (*known, self.is_terminal, self.outcome)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RpcError) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.code, self.reason, self.message))

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    @property
    def retry_after(self) -> timedelta | None:
        """The delay that the failing side asked for, if it asked."""
        return self.details.retry_info.retry_after if self.details.retry_info else None
