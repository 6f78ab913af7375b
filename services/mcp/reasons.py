"""Every way in which a tool server can fail, as reasons that clients may rely on."""

from errors import Code, Reason

SERVER_NOT_FOUND = Reason(
    "mcp_server.not_found",
    Code.NOT_FOUND,
    "There is no such tool server. See mcp-list-available-servers.",
)
TOO_MANY_SERVERS = Reason(
    "mcp_server.too_many",
    Code.QUOTA_EXCEEDED,
    "The organization has as many tool servers as it may have. Remove one that nobody uses.",
    terminal=True,
)
ADDRESS_REFUSED = Reason(
    "mcp_server.address_refused",
    Code.FAILED_PRECONDITION,
    "The tool server stands at an address that may not be called.",
)
SECRETS_LOST = Reason(
    "mcp_server.secrets_lost",
    Code.FAILED_PRECONDITION,
    "The headers of the tool server can no longer be read. Register it again.",
)
UNREACHABLE = Reason(
    "mcp_server.unreachable",
    Code.UNAVAILABLE,
    "The tool server cannot be reached at the moment. Try again later.",
)
CREDENTIALS_REFUSED = Reason(
    "mcp_server.credentials_refused",
    Code.FAILED_PRECONDITION,
    "The tool server refuses the headers it was registered with. Register it with valid ones.",
)
RATE_LIMITED = Reason(
    "mcp_server.rate_limited",
    Code.RATE_LIMITED,
    "The tool server is limiting requests. Try again later.",
)
FAILED = Reason(
    "mcp_server.failed", Code.UPSTREAM_ERROR, "The tool server failed. Try again later."
)
TIMED_OUT = Reason(
    "mcp_server.timed_out", Code.DEADLINE_EXCEEDED, "The tool server did not answer in time."
)
CUT = Reason(
    "mcp_server.cut",
    Code.UPSTREAM_ERROR,
    "The connection to the tool server broke before its answer was complete.",
)
GARBAGE = Reason(
    "mcp_server.garbage",
    Code.UPSTREAM_ERROR,
    "The tool server sent an answer that makes no sense.",
)
ANSWER_TOO_LARGE = Reason(
    "mcp_server.answer_too_large",
    Code.UPSTREAM_ERROR,
    "The tool server's answer is larger than we accept.",
    terminal=True,
)
REDIRECTED = Reason(
    "mcp_server.redirected",
    Code.FAILED_PRECONDITION,
    "The tool server redirects to another place. Register the address that it redirects to.",
)
REFUSED = Reason(
    "mcp_server.request_refused",
    Code.FAILED_PRECONDITION,
    "The tool server does not accept this request, so it will not succeed later.",
)
TOOL_NOT_FOUND = Reason(
    "tool.not_found", Code.TOOL_NOT_FOUND, "There is no such tool, or it may not be used."
)
TOOL_CHANGED = Reason(
    "tool.changed",
    Code.FAILED_PRECONDITION,
    "The tool is not as it was when it was confirmed, so it was not called. Look at it with "
    "mcp-list-tools; to allow it, register its server with the digest that it has now.",
)
OUTCOME_UNKNOWN = Reason(
    "tool.outcome_unknown",
    Code.TOOL_EXECUTION_FAILED,
    "Whether the tool did its work is not known. It is not called again by itself.",
    terminal=True,
)

NEVER_CALLED = frozenset(
    reason.word
    for reason in (
        ADDRESS_REFUSED,
        SECRETS_LOST,
        UNREACHABLE,
        CREDENTIALS_REFUSED,
        RATE_LIMITED,
        REDIRECTED,
        REFUSED,
        TOOL_NOT_FOUND,
        TOOL_CHANGED,
    )
)
"""Failures after which a tool has certainly not done anything."""

SERVER_REASONS = (
    SERVER_NOT_FOUND,
    ADDRESS_REFUSED,
    SECRETS_LOST,
    UNREACHABLE,
    CREDENTIALS_REFUSED,
    RATE_LIMITED,
    FAILED,
    TIMED_OUT,
    CUT,
    GARBAGE,
    ANSWER_TOO_LARGE,
    REDIRECTED,
    REFUSED,
)
"""What asking a server may answer; for the contract of whoever does."""

CALL_REASONS = (*SERVER_REASONS, TOOL_NOT_FOUND, TOOL_CHANGED, OUTCOME_UNKNOWN)
"""What calling a tool may answer."""
