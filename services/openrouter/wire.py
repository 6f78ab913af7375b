"""What goes to OpenRouter and what comes back, as plain frozen values.

Requests are written once, in `request_body`; answers.py reads what OpenRouter answers into these
values. Money is a decimal string in USD: floats lose cents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text of a message with several parts."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image. `url` is an https address or a `data:` URL."""

    url: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document. `data` is an https address or a `data:` URL."""

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments` is the model's JSON text, not checked here."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the context. Role: `system`, `user`, `assistant` or `tool`."""

    role: str
    content: str | tuple[TextPart | ImagePart | FilePart, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One model call. What is None is left to the model or to the settings.

    fallbacks: models that OpenRouter tries in this order when `model` cannot answer.
    provider: OpenRouter's routing object (`order`, `allow_fallbacks`, ...).
    *_timeout_seconds: own deadlines instead of those of the settings.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    fallbacks: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    reasoning_effort: str | None = None
    provider: Mapping[str, Any] | None = None
    user: str | None = None
    idempotency_key: str | None = None
    first_token_timeout_seconds: float | None = None
    inter_token_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and, where OpenRouter says it, cost in USD as a plain decimal string."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer as it arrives. Reasoning is apart from the answer's text."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of an answer. `model` is the one that answered, a fallback perhaps.

    usage is None when the connection ended after the answer but before the usage arrived.
    """

    model: str
    finish_reason: str
    native_finish_reason: str = ""
    provider: str = ""
    generation_id: str = ""
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer that was not streamed."""

    text: str
    reasoning: str
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that OpenRouter offers. Prices are USD per token, as OpenRouter's decimal strings."""

    id: str
    name: str
    description: str = ""
    created: int = 0
    context_length: int = 0
    max_completion_tokens: int = 0
    pricing: Mapping[str, str] = field(default_factory=dict[str, str])
    supported_parameters: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()


def request_body(request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """The JSON body of a chat call; absent fields are left out, so the model's defaults hold."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message_body(message) for message in request.messages],
        "usage": {"include": True},
    }
    if stream:
        body["stream"] = True
    if request.fallbacks:
        body["models"] = [request.model, *request.fallbacks]
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = [_tool_body(tool) for tool in request.tools]
    if request.reasoning_effort is not None:
        body["reasoning"] = {"effort": request.reasoning_effort}
    as_named = (
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "response_format",
        "tool_choice",
        "provider",
        "user",
    )
    values = ((name, getattr(request, name)) for name in as_named)
    return body | {name: value for name, value in values if value is not None}


def _message_body(message: ChatMessage) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role}
    if isinstance(message.content, str):
        body["content"] = message.content
    else:
        body["content"] = [_part_body(part) for part in message.content]
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def _part_body(part: TextPart | ImagePart | FilePart) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(url):
            return {"type": "image_url", "image_url": {"url": url}}
        case FilePart(name, data):
            return {"type": "file", "file": {"filename": name, "file_data": data}}


def _tool_body(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}
