"""How clients name a thread."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from chassis.message import violation


def _conversation_key(value: str) -> str:
    if len(value.encode()) > 256:
        raise violation("must have at most 256 bytes")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise violation("must not have control characters")
    if not unicodedata.is_normalized("NFC", value):
        # Refused, not changed: a key that comes back other than it was sent is a trap.
        raise violation("must be in Unicode's NFC form")
    return value


# For clients that look at the schema; the bytes, and that the text is NFC, are judged above.
_SHOWN: dict[str, JsonValue] = {"maxLength": 256, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}

ConversationKey = Annotated[
    str, Field(min_length=1, json_schema_extra=_SHOWN), AfterValidator(_conversation_key)
]
NewConversationKey = Annotated[
    str, Field(json_schema_extra=_SHOWN), AfterValidator(_conversation_key)
]
