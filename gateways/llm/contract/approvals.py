"""Requests about what a thread's model asks of tools."""

from pydantic import Field

from actors.conversation.contract.tools import ApprovalDecision
from chassis.message import Message, Struct
from gateways.llm.contract.keys import ConversationKey


class PublicResolveToolApprovalRequest(Message):
    """What becomes of a call that waits. `arguments` replace those that the model asked for."""

    conversation_key: ConversationKey
    approval_id: str = Field(min_length=1, max_length=64)
    decision: ApprovalDecision
    reason: str = Field(default="", max_length=1000)
    arguments: Struct | None = None


class PublicGetToolResultRequest(Message):
    """Which result of a thread."""

    conversation_key: ConversationKey
    result_id: str = Field(min_length=1, max_length=64)
