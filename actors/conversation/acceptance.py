"""The one step in which a command is accepted: what time it is, and whether its models exist.

Both come from outside the journal, so they are taken together: one durable step, not two.
"""

from datetime import UTC, datetime
from typing import Protocol

from restate import ObjectContext

from actors.conversation.contract.thread import GenerationConfig
from chassis.message import Double, Message
from chassis.steps import attempt, clock
from errors import ErrorDetails, ModelError, RpcError
from services.openrouter.contract import MODEL_UNKNOWN


class Models(Protocol):
    """Knows which models there are, without ever waiting for a vendor."""

    def first_unknown(self, models: list[str]) -> str | None:
        """The first that does not exist; None when all do or nothing is known yet."""
        ...


class Accepted(Message):
    """When, and the model that stood in the way."""

    at: Double
    unknown_model: str = ""


class Acceptance:
    """Accepts commands that name models."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def check(self, ctx: ObjectContext, config: GenerationConfig | None) -> datetime:
        """The time of acceptance; raises MODEL_INVALID when a named model does not exist."""
        models = [config.model, *config.fallback_models] if config else []
        accepted = await attempt(ctx, "accept", self._accept, Accepted, [m for m in models if m])
        if isinstance(accepted, RpcError):
            raise accepted
        if accepted.unknown_model:
            details = ErrorDetails(model_error=ModelError(model=accepted.unknown_model))
            raise MODEL_UNKNOWN.error(details=details)
        return datetime.fromtimestamp(accepted.at, UTC)

    async def _accept(self, models: list[str]) -> Accepted:
        return Accepted(at=clock(), unknown_model=self._models.first_unknown(models) or "")
