"""From a config and a context to the request that a model gets."""

from collections.abc import Iterable

from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.thread import (
    GenerationConfig,
    ResponseFormat,
    ResponseFormatType,
)
from services.openrouter.routing import effort_of, provider_of
from services.openrouter.wire import ChatMessage, ChatRequest, FilePart, ImagePart, TextPart


def chat_request(
    config: GenerationConfig, context: Iterable[ContextMessage], seconds: float | None = None
) -> ChatRequest:
    """The call that asks `config`'s model about `context`, within some seconds in all."""
    return ChatRequest(
        model=config.model,
        messages=tuple(map(_message, context)),
        fallbacks=tuple(config.fallback_models),
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        stop=tuple(config.stop),
        seed=config.seed,
        response_format=_response_format(config.response_format),
        reasoning_effort=effort_of(config.reasoning_effort),
        provider=provider_of(config.provider),
        total_timeout_seconds=seconds,
    )


def _message(message: ContextMessage) -> ChatMessage:
    if not message.parts:
        return ChatMessage(role=message.role.name, content=message.content)
    parts: list[TextPart | ImagePart | FilePart] = []
    for part in message.parts:
        if part.image_url:
            parts.append(ImagePart(part.image_url))
        elif part.file_url:
            parts.append(FilePart(part.file_url.rsplit("/", 1)[-1], part.file_url))
        else:
            parts.append(TextPart(part.text))
    return ChatMessage(role=message.role.name, content=tuple(parts))


def _response_format(wished: ResponseFormat | None) -> dict[str, object] | None:
    if wished is None:
        return None
    if wished.type == ResponseFormatType.JSON_OBJECT:
        return {"type": "json_object"}
    if wished.type == ResponseFormatType.JSON_SCHEMA:
        schema = {"name": wished.name or "answer", "strict": True, "schema": wished.json_schema}
        return {"type": "json_schema", "json_schema": schema}
    return None
