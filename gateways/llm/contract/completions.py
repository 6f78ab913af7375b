"""Requests for one completion without a thread."""

from typing import Annotated

from pydantic import AfterValidator, Field

from actors.conversation.contract.entry import ContentPart, GivenPart, Role
from actors.conversation.contract.thread import GenerationConfig
from chassis.message import Message, violation

_SPEAKERS = frozenset({Role.user, Role.assistant, Role.system})


class CompletionMessage(Message):
    """One message of the context: `content`, or `parts`. The role is `user` unless it is said."""

    role: Role = Role.user
    content: str = ""
    parts: list[GivenPart] = Field(default_factory=list[ContentPart], max_length=64)


def _said_by_somebody(message: CompletionMessage) -> CompletionMessage:
    if message.role not in _SPEAKERS:
        raise violation("must have the role user, assistant or system")
    if bool(message.content) == bool(message.parts):
        raise violation("must have either content or parts")
    return message


class PublicCompleteRequest(Message):
    """What the model is asked. `model` goes before the one of `generation_config`; without either
    the platform's default answers."""

    model: str = Field(default="", max_length=200)
    messages: list[Annotated[CompletionMessage, AfterValidator(_said_by_somebody)]] = Field(
        min_length=1, max_length=2000
    )
    generation_config: GenerationConfig | None = None
