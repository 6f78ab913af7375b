"""A context that its model can read: where there is more, the oldest messages are left out. Pure.

The question itself always stays, and what is pinned (system prompt and summary). Sizes are
estimates, except of what the model reported with the run before; those leave room for their error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage, Work
from services.openrouter import wire
from services.openrouter.tokens import (
    MARGIN,
    at_most,
    context_tokens,
    message_tokens,
    text_tokens,
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A run's work with the context that is sent, and how many messages were left out of it."""

    work: Work
    dropped: int


def fitted(work: Work, more: Sequence[wire.ChatMessage], tools_bytes: int) -> Fitted:
    """The work with as much of its context as fits beside what this run has said and called so
    far, and beside the descriptions of its tools."""
    beside = sum(_bytes(message) for message in more) + tools_bytes
    if not work.prompt_limit or at_most(work.context) + beside <= work.prompt_limit:
        return Fitted(work, 0)
    model = work.generation_config.model if work.generation_config else ""
    added = sum(_tokens(message, model) for message in more)
    # Descriptions of tools are JSON, of which a token is about three bytes.
    excess = _size(work, added + tools_bytes // 3, model) - work.prompt_limit
    dropped, last = 0, len(work.context) - 1
    while excess > 0 and work.pinned + dropped < last:
        message = work.context[work.pinned + dropped]
        excess -= message_tokens(message, model)
        dropped += 1
    kept = [*work.context[: work.pinned], *work.context[work.pinned + dropped :]]
    return Fitted(work.model_copy(update={"context": kept}), dropped)


def _size(work: Work, more: int, model: str) -> float:
    if work.known_messages:
        # The report was of its tools, too, which are counted twice here: rather too much.
        new = context_tokens(work.context[work.known_messages :], model) + more
        return work.known_tokens + new * (1 + MARGIN)
    return (context_tokens(work.context, model) + more) * (1 + MARGIN)


def _tokens(message: wire.ChatMessage, model: str) -> int:
    said = message.content if isinstance(message.content, str) else ""
    asked = ContextMessage(role=Role.assistant, content=said)
    calls = sum(text_tokens(call.arguments, model) for call in message.tool_calls)
    return message_tokens(asked, model) + calls


def _bytes(message: wire.ChatMessage) -> int:
    said = message.content if isinstance(message.content, str) else ""
    return len(said.encode()) + sum(
        len(call.arguments.encode()) + 16 for call in message.tool_calls
    )
