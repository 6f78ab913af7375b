"""`/api/v1/llm/gateway/`: the public methods of conversations.

Methods that read or change one thread name it by `conversation_key`, which belongs to the caller.
Answers are made of the nouns that ConversationActor's contract defines.
"""

import unicodedata
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from actors.conversation.contract import (
    BEYOND_END,
    MESSAGE_ID_REUSED,
    QUEUE_FULL,
    RUN_NOT_FOUND,
    THREAD_EXISTS,
    THREAD_NOT_FOUND,
)
from actors.conversation.contract.entry import ContentPart, Event, Role
from actors.conversation.contract.run import (
    ListMessagesResponse,
    ListRunsResponse,
    Run,
    SendMessageResponse,
)
from actors.conversation.contract.thread import GenerationConfig, Settings, State
from actors.conversation_manager.contract import ListRequest, ListResponse
from chassis.message import Duration, Int32, Message, Timestamp, UInt32, violation
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import REQUEST
from chassis.rpc import Component, Effect, Kind
from services.openrouter.contract import (
    CATALOGUE_REASONS,
    MODEL_UNKNOWN,
    ListModelsRequest,
    ListModelsResponse,
)


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

_LONGEST_WAIT = timedelta(seconds=25)
_SHOWN_WAIT: dict[str, JsonValue] = {"pattern": r"^(25|(1?[0-9]|2[0-4])(\.[0-9]{1,9})?)s$"}

ConversationKey = Annotated[
    str, Field(min_length=1, json_schema_extra=_SHOWN), AfterValidator(_conversation_key)
]
NewConversationKey = Annotated[
    str, Field(json_schema_extra=_SHOWN), AfterValidator(_conversation_key)
]


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


class PublicUserMessage(Message):
    """What the user says: `content`, or `parts`. The role is `user`."""

    role: Role = Role.user
    content: str = ""
    parts: list[ContentPart] = Field(default_factory=list[ContentPart], max_length=64)


def _said_by_the_user(message: PublicUserMessage) -> PublicUserMessage:
    if message.role != Role.user:
        raise violation("must have the role user")
    if bool(message.content) == bool(message.parts):
        raise violation("must have either content or parts")
    return message


class PublicSendMessageRequest(Message):
    """A message for a thread. `client_message_id` makes repeats safe for as long as it lives."""

    conversation_key: ConversationKey
    user_message: Annotated[PublicUserMessage, AfterValidator(_said_by_the_user)]
    client_message_id: str = Field(default="", max_length=128)
    generation_config: GenerationConfig | None = None


class ConversationStateRequest(Message):
    """Which thread, and which page of its messages."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class PublicListMessagesRequest(Message):
    """A page of messages, newest first unless asked otherwise."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    oldest_first: bool = False


class RunRequest(Message):
    """One run of a thread."""

    conversation_key: ConversationKey
    run_id: str = Field(min_length=1, max_length=64)


class PublicListRunsRequest(Message):
    """A page of runs, newest first."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class PullEventsRequest(Message):
    """Events after a sequence; `wait` holds the answer until there are some, up to 25 s."""

    conversation_key: ConversationKey
    after: UInt32 = 0
    wait: Duration | None = Field(
        default=None, ge=timedelta(0), le=_LONGEST_WAIT, json_schema_extra=_SHOWN_WAIT
    )
    limit: Int32 = Field(default=0, ge=0, le=200)


class Partial(Message):
    """The answer of the active run so far; `offset` is its length in code points."""

    run_id: str = ""
    message_id: str = ""
    attempt: UInt32 = 0
    offset: UInt32 = 0
    text: str = ""


class PullEventsResponse(Message):
    """Events, oldest first, and what the active run has said so far."""

    events: list[Event] = Field(default_factory=list[Event])
    last_sequence: UInt32 = 0
    partial: Partial | None = None


component = Component(
    name="LLMGateway",
    kind=Kind.GATEWAY,
    retries=REQUEST,
    base="/api/v1/llm/gateway/",
)

READ, WRITE = "conversations:read", "conversations:write"

list_threads = component.public(
    "ListThreads",
    ListRequest,
    ListResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(PAGE_TOKEN_INVALID,),
)
create_thread = component.public(
    "CreateThread",
    CreateThreadRequest,
    CreateThreadResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_EXISTS, MODEL_UNKNOWN),
)
send_message = component.public(
    "SendMessage",
    PublicSendMessageRequest,
    SendMessageResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, QUEUE_FULL, MESSAGE_ID_REUSED, MODEL_UNKNOWN),
)
conversation_state = component.public(
    "ConversationState",
    ConversationStateRequest,
    State,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
list_messages = component.public(
    "ListMessages",
    PublicListMessagesRequest,
    ListMessagesResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
get_run = component.public(
    "GetRun",
    RunRequest,
    Run,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
)
list_runs = component.public(
    "ListRuns",
    PublicListRunsRequest,
    ListRunsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
cancel_run = component.public(
    "CancelRun",
    RunRequest,
    Run,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
)
pull_events = component.public(
    "PullEvents",
    PullEventsRequest,
    PullEventsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, BEYOND_END),
    # Longer than the longest wait.
    deadline=timedelta(seconds=35),
    served_by_edge=True,
)
stream_events = component.public(
    "StreamEvents",
    PullEventsRequest,
    PullEventsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, BEYOND_END),
    served_by_edge=True,
    stream=True,
)
list_models = component.public(
    "ListModels",
    ListModelsRequest,
    ListModelsResponse,
    scope="models:read",
    effect=Effect.READ,
    errors=CATALOGUE_REASONS,
)
