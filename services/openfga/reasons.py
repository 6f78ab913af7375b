"""The ways in which OpenFGA can fail to answer."""

from errors import Code, Reason

NOT_CONFIGURED = Reason(
    "openfga.not_configured",
    Code.UNAVAILABLE,
    "Sharing is not set up on this installation.",
    terminal=True,
)
NOT_PREPARED = Reason(
    "openfga.not_prepared",
    Code.UNAVAILABLE,
    "Sharing is not ready on this installation. An operator has to look at it.",
)
CREDENTIALS_REFUSED = Reason(
    "openfga.credentials_refused",
    Code.UNAVAILABLE,
    "The service that decides about sharing refused our own access. An operator has to look at it.",
    terminal=True,
)
UNREACHABLE = Reason(
    "openfga.unreachable",
    Code.UNAVAILABLE,
    "Whether this is shared with you cannot be found out at the moment. Try again later.",
)
FAILED = Reason(
    "openfga.failed",
    Code.UPSTREAM_ERROR,
    "The service that decides about sharing failed. Try again later.",
)
REQUEST_REFUSED = Reason(
    "openfga.request_refused",
    Code.UPSTREAM_ERROR,
    "The service that decides about sharing does not accept this request, so it will not succeed "
    "later.",
    terminal=True,
)

CALL_REASONS = (
    NOT_CONFIGURED,
    NOT_PREPARED,
    CREDENTIALS_REFUSED,
    UNREACHABLE,
    FAILED,
    REQUEST_REFUSED,
)
"""What any call may answer."""
