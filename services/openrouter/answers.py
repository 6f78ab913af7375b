"""OpenRouter's JSON answers, read leniently.

Providers behind OpenRouter differ, so unknown fields are ignored and `null` is taken as absent;
what still does not fit is garbage, and `parse` says so with None.
"""

import json
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from services.openrouter.wire import Model, Usage


def _empty_text(value: object) -> object:
    return "" if value is None else value


def _empty_list(value: object) -> object:
    return [] if value is None else value


def _zero(value: object) -> object:
    return 0 if value is None else value


_Text = Annotated[str, BeforeValidator(_empty_text)]
_Count = Annotated[int, BeforeValidator(_zero)]
_T = TypeVar("_T")
_Many = Annotated[list[_T], BeforeValidator(_empty_list)]


class _FunctionPiece(BaseModel):
    name: _Text = ""
    arguments: _Text = ""


class ToolCallPiece(BaseModel):
    """A part of a tool call; parts with the same index belong together."""

    index: _Count = 0
    id: _Text = ""
    function: _FunctionPiece = _FunctionPiece()


class MessagePiece(BaseModel):
    """`delta` of a streamed choice or `message` of a whole one."""

    content: _Text = ""
    reasoning: _Text = ""
    tool_calls: _Many[ToolCallPiece] = []


class VendorError(BaseModel):
    """OpenRouter's error object. `code` is a number or a word, whatever the provider had."""

    code: int | str | None = None
    message: _Text = ""
    metadata: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = {}


class Choice(BaseModel):
    """One answer; we never ask for more than one."""

    delta: MessagePiece | None = None
    message: MessagePiece | None = None
    finish_reason: _Text = ""
    native_finish_reason: _Text = ""
    error: VendorError | None = None


class _TokenDetails(BaseModel):
    reasoning_tokens: _Count = 0
    cached_tokens: _Count = 0


class UsageObject(BaseModel):
    """`usage` of an answer."""

    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    total_tokens: _Count = 0
    cost: Decimal | None = None
    completion_tokens_details: _TokenDetails | None = None
    prompt_tokens_details: _TokenDetails | None = None

    def read(self) -> Usage:
        """The value that callers get."""
        completion, prompt = self.completion_tokens_details, self.prompt_tokens_details
        return Usage(
            self.prompt_tokens,
            self.completion_tokens,
            self.total_tokens or self.prompt_tokens + self.completion_tokens,
            completion.reasoning_tokens if completion else 0,
            prompt.cached_tokens if prompt else 0,
            "" if self.cost is None else format(self.cost, "f"),
        )


class Answer(BaseModel):
    """One event of a stream, a whole answer, or an error in the place of either."""

    id: _Text = ""
    model: _Text = ""
    provider: _Text = ""
    choices: _Many[Choice] = []
    usage: UsageObject | None = None
    error: VendorError | str | None = None


class _Architecture(BaseModel):
    input_modalities: _Many[str] = []
    output_modalities: _Many[str] = []


class _TopProvider(BaseModel):
    max_completion_tokens: _Count = 0


class ModelObject(BaseModel):
    """One row of the model list."""

    id: str
    name: _Text = ""
    description: _Text = ""
    created: _Count = 0
    context_length: _Count = 0
    pricing: dict[str, Any] = {}
    supported_parameters: _Many[str] = []
    architecture: _Architecture = _Architecture()
    top_provider: _TopProvider = _TopProvider()

    def read(self) -> Model:
        """The value that callers get."""
        return Model(
            id=self.id,
            name=self.name or self.id,
            description=self.description,
            created=self.created,
            context_length=self.context_length,
            max_completion_tokens=self.top_provider.max_completion_tokens,
            pricing={name: price for name, price in self.pricing.items() if isinstance(price, str)},
            supported_parameters=tuple(self.supported_parameters),
            input_modalities=tuple(self.architecture.input_modalities),
            output_modalities=tuple(self.architecture.output_modalities),
        )


class ModelList(BaseModel):
    """The answer of `/models`."""

    data: list[ModelObject] = Field(min_length=1)


_Read = TypeVar("_Read", bound=BaseModel)


def parse(kind: type[_Read], text: str | bytes) -> _Read | None:
    """`text` as a `kind`, or None when it is not one.

    Half a surrogate pair (some providers split emoji between events) is legal JSON but no text;
    it becomes `?` instead of failing the whole answer.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        pass
    try:
        repaired = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        return kind.model_validate_json(repaired)
    except (ValueError, RecursionError):
        return None
