"""Requests about a thread as a whole."""

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue
from pydantic.alias_generators import to_camel

from actors.conversation.contract.thread import GenerationConfig, Settings
from chassis.message import Int32, Message, Timestamp, violation
from gateways.llm.contract.keys import ConversationKey, NewConversationKey


class CreateThreadRequest(Message):
    """A thread of the caller's. Without a `conversation_key` one is made."""

    conversation_key: NewConversationKey = ""
    name: str = Field(default="", max_length=200)
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    metadata: dict[str, Annotated[str, Field(max_length=512)]] = Field(
        default_factory=dict[str, str], max_length=32
    )


class CreateThreadResponse(Message):
    """The thread."""

    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp | None = None


class ConversationStateRequest(Message):
    """Which thread, and which page of its messages."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


def _spellings(kind: type[Message]) -> dict[str, str]:
    """Both spellings of each field of a message, and the name that they mean."""
    return {spelled: name for name in kind.model_fields for spelled in (name, to_camel(name))}


def _field_of(kind: type[Message]) -> AfterValidator:
    """Lets the names of a message's fields through, read as the proto name."""
    names = _spellings(kind)

    def known(value: str) -> str:
        if value not in names:
            raise violation("must name a field of the message")
        return names[value]

    return AfterValidator(known)


def _shown(kind: type[Message]) -> dict[str, JsonValue]:
    return {"enum": [*sorted(_spellings(kind))]}


_SettingsField = Annotated[str, Field(json_schema_extra=_shown(Settings)), _field_of(Settings)]
_ConfigField = Annotated[
    str, Field(json_schema_extra=_shown(GenerationConfig)), _field_of(GenerationConfig)
]


class PublicUpdateSettingsRequest(Message):
    """The settings to change; what is left out stays. `clear` names settings to set back to the
    platform's default."""

    conversation_key: ConversationKey
    settings: Settings | None = None
    clear: list[_SettingsField] = Field(default_factory=list[str], max_length=32)


class PublicUpdateGenerationConfigRequest(Message):
    """The fields to change; what is left out stays. `clear` names fields to set back to the
    platform's default."""

    conversation_key: ConversationKey
    generation_config: GenerationConfig | None = None
    clear: list[_ConfigField] = Field(default_factory=list[str], max_length=32)
