"""What OpenRouterService offers: which models there are."""

from pydantic import Field

from chassis.message import Int64, Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from services.openrouter.reasons import (
    CALL_REASONS,
    CATALOGUE_REASONS,
    FORMAT_INVALID,
    MODEL_UNKNOWN,
    PROVIDER_REASONS,
)

__all__ = [
    "CALL_REASONS",
    "CATALOGUE_REASONS",
    "FORMAT_INVALID",
    "MODEL_UNKNOWN",
    "PROVIDER_REASONS",
]


class ListModelsRequest(Message):
    """All of them."""


class ModelPricing(Message):
    """US dollars a token, as decimal strings."""

    prompt: str = ""
    completion: str = ""


class Model(Message):
    """A model that runs may use."""

    id: str = ""
    name: str = ""
    description: str = ""
    context_length: Int64 = 0
    max_completion_tokens: Int64 = 0
    pricing: ModelPricing | None = None
    supported_parameters: list[str] = Field(default_factory=list[str])
    input_modalities: list[str] = Field(default_factory=list[str])
    output_modalities: list[str] = Field(default_factory=list[str])


class ListModelsResponse(Message):
    """Models in the provider's order."""

    models: list[Model] = Field(default_factory=list[Model])


component = Component(name="OpenRouterService", kind=Kind.SERVICE, retries=REQUEST)

list_models = component.rpc(
    "ListModels",
    ListModelsRequest,
    ListModelsResponse,
    errors=CATALOGUE_REASONS,
)
