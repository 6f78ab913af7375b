"""What other components may ask about models."""

from restate import Context

from chassis.serve import implements
from chassis.steps import step
from services.openrouter import contract
from services.openrouter.catalogue import Catalogue
from services.openrouter.contract import (
    ListModelsRequest,
    ListModelsResponse,
    Model,
    ModelPricing,
)


class OpenRouter:
    """Models, by way of OpenRouter."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @implements(contract.list_models)
    async def list_models(self, ctx: Context, request: ListModelsRequest) -> ListModelsResponse:
        """List the models that the provider offers."""
        return await step(ctx, "list-models", self._list, ListModelsResponse)

    async def _list(self) -> ListModelsResponse:
        models = [
            Model(
                id=model.id,
                name=model.name,
                description=model.description,
                context_length=model.context_length,
                max_completion_tokens=model.max_completion_tokens,
                pricing=ModelPricing(
                    prompt=model.pricing.get("prompt", ""),
                    completion=model.pricing.get("completion", ""),
                ),
                supported_parameters=list(model.supported_parameters),
                input_modalities=list(model.input_modalities),
                output_modalities=list(model.output_modalities),
            )
            for model in await self._catalogue.models()
        ]
        return ListModelsResponse(models=models)
