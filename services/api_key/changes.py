"""What a change makes of a key's record. Pure, and free of any context."""

from datetime import datetime, timedelta

from services.api_key.contract import KeySettings, UpdateRequest
from services.api_key.state import MOST_TEXTS, KeyRecord, Text

CLEARABLE = ("description", "rate_limit", "expires_at", "allowed_origins")
_CHANGEABLE = (
    "name", "description", "permissions", "rate_limit", "expires_at", "oidc", "allowed_origins",
)  # fmt: skip


def rotate(record: KeyRecord, made: Text, at: datetime, grace: timedelta) -> list[Text]:
    """Make `made` the key's text; all others end after the grace, or earlier if they did.

    Returns the texts that are over: the record forgets them, and they must be told so.
    """
    for text in record.texts:
        text.ends_at = min(text.ends_at or at + grace, at + grace)
    living = [text for text in record.texts if text.ends_at is not None and text.ends_at > at]
    kept = living[-(MOST_TEXTS - 1) :]
    gone = [text for text in record.texts if text not in kept]
    for text in gone:
        text.ends_at = min(text.ends_at or at, at)
    record.texts = [*kept, made]
    return gone


def update(settings: KeySettings, request: UpdateRequest) -> None:
    """Take over what the request has, and remove what it names."""
    for name in request.clear:
        setattr(
            settings, name, KeySettings.model_fields[name].get_default(call_default_factory=True)
        )
    for name in _CHANGEABLE:
        value = getattr(request, name)
        if value:
            setattr(settings, name, value)


def named(request: UpdateRequest) -> list[str]:
    """The settings that a request changes or removes."""
    return [name for name in _CHANGEABLE if getattr(request, name) or name in request.clear]
