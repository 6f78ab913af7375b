"""Every way in which Firebase can fail us."""

from errors import Code, Reason

NOT_CONFIGURED = Reason(
    "firebase.not_configured",
    Code.UNAVAILABLE,
    "This installation has no access to Firebase, which keeps its users.",
    terminal=True,
)
USER_NOT_FOUND = Reason(
    "firebase.user_not_found", Code.NOT_FOUND, "There is no such user at the identity provider."
)
CREDENTIALS_REFUSED = Reason(
    "firebase.credentials_refused",
    Code.UNAVAILABLE,
    "The identity provider refused our own access. An operator has to look at it.",
    terminal=True,
)
REQUEST_REFUSED = Reason(
    "firebase.request_refused",
    Code.UPSTREAM_ERROR,
    "The identity provider does not accept this change, so it will not succeed later.",
    terminal=True,
)
RATE_LIMITED = Reason(
    "firebase.rate_limited",
    Code.RATE_LIMITED,
    "The identity provider is limiting our requests. Try again later.",
)
UNAVAILABLE = Reason(
    "firebase.unavailable",
    Code.UNAVAILABLE,
    "The identity provider cannot be reached at the moment. Try again later.",
)
TIMED_OUT = Reason(
    "firebase.timed_out",
    Code.DEADLINE_EXCEEDED,
    "The identity provider did not answer in time. Try again later.",
)
FAILED = Reason(
    "firebase.failed", Code.UPSTREAM_ERROR, "The identity provider failed. Try again later."
)

CALL_REASONS = (
    NOT_CONFIGURED,
    USER_NOT_FOUND,
    CREDENTIALS_REFUSED,
    REQUEST_REFUSED,
    RATE_LIMITED,
    UNAVAILABLE,
    TIMED_OUT,
    FAILED,
)
"""What telling Firebase may answer; for the contract of whoever waits for it."""
