"""What a config may ask for: at all, and of its models, as far as the list of models tells."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Protocol

from actors.conversation.contract import BEYOND_MODEL
from actors.conversation.contract.thread import (
    GenerationConfig,
    ReasoningEffort,
    ResponseFormatType,
)
from chassis.json_schema import is_schema
from chassis.message import REQUEST_INVALID
from errors import ErrorDetails, FieldViolation, ModelError, RpcError


class ModelFacts(Protocol):
    """What the list says of a model; zeros and empty values where it says nothing."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def context_length(self) -> int:
        """What it can take, the answer included."""
        ...

    @property
    def max_completion_tokens(self) -> int:
        """The longest answer."""
        ...

    @property
    def supported_parameters(self) -> tuple[str, ...]:
        """The parameters that it knows."""
        ...

    @property
    def pricing(self) -> Mapping[str, str]:
        """US dollars a token, by kind of token."""
        ...


def impossible(config: GenerationConfig) -> RpcError | None:
    """The error for a config that no model could follow."""
    wished = config.response_format
    if wished is None or wished.type is not ResponseFormatType.JSON_SCHEMA:
        return None
    if wished.json_schema is None:
        sentence = "must be given with the type JSON_SCHEMA"
    elif not is_schema(wished.json_schema):
        sentence = "must be a JSON Schema"
    else:
        return None
    field = "generationConfig.responseFormat.jsonSchema"
    violation = FieldViolation(field=field, description=sentence)
    return REQUEST_INVALID.error(details=ErrorDetails(field_violations=(violation,)))


def beyond(config: GenerationConfig, model: ModelFacts) -> RpcError | None:
    """The error for a config that asks for what a model cannot do."""
    violations: list[FieldViolation] = []
    limits: dict[str, int] = {}
    longest = model.max_completion_tokens
    if longest and (config.max_tokens or 0) > longest:
        limits["maxCompletionTokens"] = longest
        sentence = f"must be at most {longest} for this model"
        violations.append(FieldViolation(field="generationConfig.maxTokens", description=sentence))
    known = model.supported_parameters
    effort = config.reasoning_effort is not ReasoningEffort.REASONING_EFFORT_UNSPECIFIED
    if effort and known and "reasoning" not in known:
        sentence = "must be absent for this model, which does not reason"
        field = "generationConfig.reasoningEffort"
        violations.append(FieldViolation(field=field, description=sentence))
    if not violations:
        return None
    error = ModelError(model=model.id, limits=limits)
    details = ErrorDetails(model_error=error, field_violations=tuple(violations))
    return BEYOND_MODEL.error(details=details)


def narrowest(models: list[ModelFacts]) -> int:
    """The smallest context window among these models; 0 where none is known."""
    return min((model.context_length for model in models if model.context_length), default=0)


def dearest(models: list[ModelFacts], kind: str) -> str:
    """The highest price of a kind of token among these models; empty when one is not known."""
    try:
        prices = [Decimal(model.pricing[kind]) for model in models]
    except (KeyError, InvalidOperation):
        return ""
    return format(max(prices), "f") if prices else ""
