"""Requests about messages and runs."""

from typing import Annotated

from pydantic import AfterValidator, Field

from actors.conversation.contract.entry import ContentPart, GivenPart, Role
from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from chassis.message import Int32, Message, violation
from gateways.llm.contract.keys import ConversationKey


class PublicUserMessage(Message):
    """What the user says: `content`, or `parts`. The role is `user`."""

    role: Role = Role.user
    content: str = ""
    parts: list[GivenPart] = Field(default_factory=list[ContentPart], max_length=64)


def said_by_the_user(message: PublicUserMessage) -> PublicUserMessage:
    """Refuse what is not one message of a user."""
    if message.role != Role.user:
        raise violation("must have the role user")
    if bool(message.content) == bool(message.parts):
        raise violation("must have either content or parts")
    return message


class PublicSendMessageRequest(Message):
    """A message for a thread. `client_message_id` makes repeats safe for as long as it lives;
    `interrupt_policy` holds for this message instead of the thread's."""

    conversation_key: ConversationKey
    user_message: Annotated[PublicUserMessage, AfterValidator(said_by_the_user)]
    client_message_id: str = Field(default="", max_length=128)
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class PublicListMessagesRequest(Message):
    """A page of messages, newest first unless asked otherwise; of the active branch unless
    another is named."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    oldest_first: bool = False
    branch_id: str = Field(default="", max_length=64)


class RunRequest(Message):
    """One run of a thread."""

    conversation_key: ConversationKey
    run_id: str = Field(min_length=1, max_length=64)


class PublicListRunsRequest(Message):
    """A page of runs, newest first."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
