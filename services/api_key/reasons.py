"""The ways in which managing a key can fail."""

from errors import Code, Reason

KEY_NOT_FOUND = Reason("api_key.not_found", Code.NOT_FOUND, "There is no such key.")
KEY_NOT_ACTIVE = Reason(
    "api_key.not_active",
    Code.FAILED_PRECONDITION,
    "The key is revoked or has expired. Create a new one.",
)
TOO_MANY_KEYS = Reason(
    "api_key.too_many",
    Code.QUOTA_EXCEEDED,
    "The organization has as many active keys as it may have. Revoke those that nobody uses.",
    terminal=True,
)
