"""What went wrong on the wire while one request to a server was under way.

The protocol's library turns every failure into an error of its own and closes what it shares with
other requests. So the transport below it raises nothing: it notes here what it saw, and answers
with something the library survives. The contextvar follows the request into the library's tasks.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field

from errors import ErrorDetails, Reason, RetryInfo, RpcError, UpstreamError, classify
from services.mcp import reasons

_STATUS = {
    401: reasons.CREDENTIALS_REFUSED,
    403: reasons.CREDENTIALS_REFUSED,
    408: reasons.TIMED_OUT,
    429: reasons.RATE_LIMITED,
    503: reasons.UNREACHABLE,
    504: reasons.TIMED_OUT,
}


@dataclass(slots=True)
class Witness:
    """The first failure counts; a status alone is no failure until the library says so."""

    server_name: str
    failure: Reason | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    redirected: bool = False

    def saw(self, failure: Reason) -> None:
        """Note a failure of the wire."""
        self.failure = self.failure or failure

    def saw_status(self, status: int, headers: dict[str, str]) -> None:
        """Note the status of an answer that is none."""
        self.status, self.headers = status, headers

    def error(self, otherwise: Reason) -> RpcError:
        """The failure as an error; `otherwise` where nothing was seen."""
        if self.failure is not None:
            return self._about(self.failure)
        if self.redirected:
            return self._about(reasons.REDIRECTED)
        if self.status >= 400:
            failed = reasons.FAILED if self.status >= 500 else otherwise
            return self._about(_STATUS.get(self.status, failed))
        return self._about(otherwise)

    def _about(self, reason: Reason) -> RpcError:
        delay = classify.retry_after(self.headers)
        details = ErrorDetails(
            upstream_error=UpstreamError(service=self.server_name, status_code=self.status),
            retry_info=RetryInfo(retry_after=delay) if delay is not None else None,
        )
        return reason.error(details=details)


current: ContextVar[Witness | None] = ContextVar("mcp_witness", default=None)
