"""Requests about the branches of a thread."""

from typing import Annotated

from pydantic import AfterValidator, Field

from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from chassis.message import Int32, Message
from gateways.llm.contract.keys import ConversationKey
from gateways.llm.contract.runs import PublicUserMessage, said_by_the_user


class PublicRegenerateRequest(Message):
    """Answer a user's message anew: the named one, or the one that the named answer is to."""

    conversation_key: ConversationKey
    message_id: str = Field(min_length=1, max_length=64)
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class PublicEditMessageRequest(Message):
    """A user's message in other words. `client_message_id` makes repeats safe."""

    conversation_key: ConversationKey
    message_id: str = Field(min_length=1, max_length=64)
    user_message: Annotated[PublicUserMessage, AfterValidator(said_by_the_user)]
    client_message_id: str = Field(default="", max_length=128)
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class BranchRequest(Message):
    """One branch of a thread."""

    conversation_key: ConversationKey
    branch_id: str = Field(min_length=1, max_length=64)


class PublicListBranchesRequest(Message):
    """A page of branches, newest first."""

    conversation_key: ConversationKey
    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
