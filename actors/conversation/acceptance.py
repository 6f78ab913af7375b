"""The one step in which a command is accepted: what time it is, whether its models exist, and
whether its run may stream at once.

All of it comes from outside the journal, so it is taken together: one durable step, not three.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from restate import ObjectContext

from actors.conversation.contract.thread import GenerationConfig
from chassis.message import Double, Int64, Message
from chassis.state import Ahead
from chassis.steps import attempt, clock, id_at
from errors import ErrorDetails, ModelError, RpcError
from services.openrouter.contract import MODEL_UNKNOWN
from services.openrouter.limits import ModelFacts, beyond, dearest, impossible, narrowest


class Models(Protocol):
    """Knows which models there are, without ever waiting for a vendor."""

    def first_unknown(self, models: list[str]) -> str | None:
        """The first that does not exist; None when all do or nothing is known yet."""
        ...

    def facts(self, model: str) -> ModelFacts | None:
        """What is known of a model; None when nothing is."""
        ...


class Places(Protocol):
    """The model streams that may be open at once."""

    def admit(self, run_id: str) -> bool:
        """Take a place for a run; False when there is none."""
        ...


class Accepted(Message):
    """When, the model that stood in the way, and whether the run has its place."""

    at: Double
    unknown_model: str = ""
    admitted: bool = False
    prompt_price: str = ""
    completion_price: str = ""
    window: Int64 = 0
    beside_window: Int64 = 0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A command that was accepted. `run_id` is that of the run it may start; prices are those of
    its dearest model, in US dollars a token, empty where they are not known. `window` is what the
    narrowest of its models can take, in tokens, `beside_window` what the model beside them can; 0
    where that is not known. `ahead` has what was read meanwhile."""

    at: datetime
    run_id: str
    admitted: bool
    prompt_price: str
    completion_price: str
    window: int
    beside_window: int
    ahead: Ahead | None = None


class Accepting:
    """Accepts commands that name models."""

    def __init__(self, models: Models, places: Places) -> None:
        self._models = models
        self._places = places

    async def check(
        self,
        ctx: ObjectContext,
        config: GenerationConfig | None,
        *,
        start: bool = False,
        beside: str = "",
    ) -> Acceptance:
        """Accept a command; raises MODEL_INVALID when a named model does not exist,
        config.beyond_model when one cannot do what is asked, and request.invalid when none could.

        start: the command starts a run at once: try to take a place for its stream.
        beside: a model that has to exist, too, but does something else.
        """
        models = [m for m in (config.model, *config.fallback_models) if m] if config else []
        # Drawn before the step, so that the id is the same for the step and for its replay.
        randomness = ctx.random().getrandbits(80)
        asked = config or GenerationConfig()
        accepted = await attempt(
            ctx, "accept", self._accept, Accepted, asked, models, randomness, start, beside
        )
        if isinstance(accepted, RpcError):
            raise accepted
        if accepted.unknown_model:
            details = ErrorDetails(model_error=ModelError(model=accepted.unknown_model))
            raise MODEL_UNKNOWN.error(details=details)
        at = datetime.fromtimestamp(accepted.at, UTC)
        return Acceptance(
            at=at,
            run_id=id_at("run", at, randomness),
            admitted=accepted.admitted,
            prompt_price=accepted.prompt_price,
            completion_price=accepted.completion_price,
            window=accepted.window,
            beside_window=accepted.beside_window,
        )

    async def _accept(
        self,
        config: GenerationConfig,
        models: list[str],
        randomness: int,
        start: bool,
        beside: str,
    ) -> Accepted:
        at = clock()
        if (refused := impossible(config)) is not None:
            raise refused
        named = [*models, beside] if beside else models
        unknown = self._models.first_unknown(named) or ""
        facts = [known for model in models if (known := self._models.facts(model))]
        for known in facts:
            if (refused := beyond(config, known)) is not None:
                raise refused
        aside = self._models.facts(beside) if beside else None
        priced = facts if len(facts) == len(models) else []
        run_id = id_at("run", datetime.fromtimestamp(at, UTC), randomness)
        admitted = start and not unknown and self._places.admit(run_id)
        return Accepted(
            at=at,
            unknown_model=unknown,
            admitted=admitted,
            prompt_price=dearest(priced, "prompt") if config.budget else "",
            completion_price=dearest(priced, "completion") if config.budget else "",
            window=narrowest(facts),
            beside_window=narrowest([aside] if aside else []),
        )
