"""Requests about a thread as a whole."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue
from pydantic.alias_generators import to_camel

from actors.conversation.contract.entry import Compaction
from actors.conversation.contract.thread import GenerationConfig, Settings
from chassis.message import Int32, Message, Timestamp, UInt32, violation
from gateways.llm.contract.keys import ConversationKey, NewConversationKey

Metadata = Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=32)]


class CreateThreadRequest(Message):
    """A thread of the caller's. Without a `conversation_key` one is made."""

    conversation_key: NewConversationKey = ""
    name: str = Field(default="", max_length=200)
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])


class CreateThreadResponse(Message):
    """The thread."""

    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp | None = None


class PublicUpdateThreadRequest(Message):
    """What the thread is called and how it is filed; what is left out stays. `metadata` is
    replaced as a whole; `clear` names what is to be empty, `name` or `metadata`."""

    conversation_key: ConversationKey
    name: str = Field(default="", max_length=200)
    archived: bool | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])
    clear: list[Literal["name", "metadata"]] = Field(
        default_factory=list[Literal["name", "metadata"]], max_length=2
    )


class UpdateThreadResponse(Message):
    """The thread as it is filed now."""

    conversation_key: str = ""
    name: str = ""
    archived: bool = False
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    created_at: Timestamp | None = None


class DeleteThreadRequest(Message):
    """Which thread."""

    conversation_key: ConversationKey


class DeleteThreadResponse(Message):
    """The receipt: what was stopped, and how much was erased.

    stopped_run_ids: runs that were active or waited.
    erased_invocations: finished calls of the thread and of its runs, with their journals.
    stopped_timers: reminders that had not come.
    """

    conversation_key: str = ""
    stopped_run_ids: list[str] = Field(default_factory=list[str])
    erased_messages: UInt32 = 0
    erased_runs: UInt32 = 0
    erased_events: UInt32 = 0
    erased_invocations: UInt32 = 0
    stopped_timers: UInt32 = 0


class ForkThreadRequest(Message):
    """Copy a thread up to a message, itself included; without a message, all of its active
    branch. Without a `new_conversation_key` one is made; without a name the copy has the
    thread's."""

    conversation_key: ConversationKey
    message_id: str = Field(default="", max_length=64)
    new_conversation_key: NewConversationKey = ""
    name: str = Field(default="", max_length=200)


class ForkThreadResponse(Message):
    """The copy."""

    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp | None = None


class CompactConversationRequest(Message):
    """Which thread."""

    conversation_key: ConversationKey


class CompactConversationResponse(Message):
    """The record of the compaction, with the tokens that it saved. The summary is in
    conversation-state."""

    conversation_key: str = ""
    compaction: Compaction


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
    """The settings to change; what is left out stays, within a group, too, and a list is replaced.
    `clear` names settings to set back to the platform's default; a group that is cleared and given
    is replaced as a whole."""

    conversation_key: ConversationKey
    settings: Settings | None = None
    clear: list[_SettingsField] = Field(default_factory=list[str], max_length=32)


class PublicUpdateGenerationConfigRequest(Message):
    """The fields to change; what is left out stays, within a group, too, and a list or a response
    format is replaced. `clear` names fields to set back to the platform's default; a group that is
    cleared and given is replaced as a whole."""

    conversation_key: ConversationKey
    generation_config: GenerationConfig | None = None
    clear: list[_ConfigField] = Field(default_factory=list[str], max_length=32)
