"""The story of a completion: get a place, ask the model, answer."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from restate import Context
from restate.exceptions import TerminalError

from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import Spendable
from actors.conversation.contract.thread import GenerationConfig
from chassis.message import REQUEST_INVALID, Double, Message
from chassis.serve import implements
from chassis.steps import ONCE, clock, id_at, step
from errors import ErrorDetails, FieldViolation, ModelError, RpcError
from services.completion import contract
from services.completion.asking import answer_of
from services.completion.contract import CompleteRequest, CompleteResponse
from services.completion.reading import Answered, CompletionReader, Followed
from services.completion.settings import CompletionSettings
from services.openrouter.asking import chat_request
from services.openrouter.contract import MODEL_UNKNOWN
from services.openrouter.limits import ModelFacts, beyond, dearest, impossible
from services.openrouter.purse import Purse
from services.openrouter.streams import ModelStreams


class Models(Protocol):
    """Knows which models there are, without ever waiting for a vendor."""

    def first_unknown(self, models: list[str]) -> str | None:
        """The first that does not exist; None when all do or nothing is known yet."""
        ...

    def facts(self, model: str) -> ModelFacts | None:
        """What is known of a model; None when nothing is."""
        ...


class Followers(Followed, Protocol):
    """Who waits for completions, and where their text goes."""

    def accompany(self, completion_id: str, request: CompleteRequest) -> None:
        """From here on the completion is known to whoever follows its topic."""
        ...

    def leave(self, completion_id: str) -> None:
        """The completion is over."""
        ...


class Accepted(Message):
    """When the completion got its place, and what a token of its dearest model costs where it has
    a budget and that is known."""

    at: Double
    prompt_price: str = ""
    completion_price: str = ""


class Completions:
    """Answers of models, without a thread."""

    def __init__(
        self,
        streams: ModelStreams,
        models: Models,
        followers: Followers,
        settings: CompletionSettings,
        default_model: str,
    ) -> None:
        self._streams = streams
        self._models = models
        self._followers = followers
        self._settings = settings
        self._default_model = default_model

    @implements(contract.complete)
    async def complete(self, ctx: Context, request: CompleteRequest) -> CompleteResponse:
        """Ask a model and answer with what it says."""
        config = request.generation_config or GenerationConfig()
        config = config.model_copy(update={"model": config.model or self._default_model})
        # Drawn before the step, so that the id is the same for the step and for its replay.
        randomness = ctx.random().getrandbits(80)
        accepted = await step(ctx, "accept", self._accept, Accepted, ONCE, config, randomness)
        at = datetime.fromtimestamp(accepted.at, UTC)
        completion_id = id_at("cmpl", at, randomness)
        deadline = at + timedelta(seconds=request.seconds)
        self._followers.accompany(completion_id, request)
        reader = CompletionReader(
            ctx, completion_id, self._streams, self._followers, self._settings, deadline
        )
        try:
            asked = chat_request(config, request.messages, request.seconds)
            purse = Purse(_spendable(config, accepted))
            answered = await answer_of(reader, config, asked, purse, deadline)
        except (RpcError, TerminalError):
            # Not in a `finally`: that also runs when Restate merely suspends the handler.
            await self._end(completion_id)
            raise
        await self._end(completion_id)
        return _response(completion_id, at, config, answered, reader.attempts)

    async def _accept(self, config: GenerationConfig, randomness: int) -> Accepted:
        """The step's body: the config can be followed, the models exist, and there is a place
        among the streams."""
        models = [config.model, *config.fallback_models]
        unknown = self._models.first_unknown(models)
        if unknown is not None:
            details = ErrorDetails(model_error=ModelError(model=unknown))
            raise MODEL_UNKNOWN.error(details=details)
        facts = [known for model in models if (known := self._models.facts(model))]
        refused = _budgets_no_thread(config) or impossible(config)
        refused = refused or next(filter(None, (beyond(config, known) for known in facts)), None)
        if refused is not None:
            raise refused
        at = clock()
        if not self._streams.admit(id_at("cmpl", datetime.fromtimestamp(at, UTC), randomness)):
            raise contract.BUSY.error()
        priced = facts if config.budget and len(facts) == len(models) else []
        return Accepted(
            at=at,
            prompt_price=dearest(priced, "prompt"),
            completion_price=dearest(priced, "completion"),
        )

    async def _end(self, completion_id: str) -> None:
        self._followers.leave(completion_id)
        await self._streams.close(completion_id)


def _budgets_no_thread(config: GenerationConfig) -> RpcError | None:
    if config.budget is None or not config.budget.thread_usd:
        return None
    violation = FieldViolation(
        field="generationConfig.budget.threadUsd",
        description="must be absent, because a completion belongs to no thread",
    )
    return REQUEST_INVALID.error(details=ErrorDetails(field_violations=(violation,)))


def _spendable(config: GenerationConfig, accepted: Accepted) -> Spendable | None:
    if config.budget is None or not config.budget.run_usd:
        return None
    return Spendable(
        usd=config.budget.run_usd,
        prompt_price=accepted.prompt_price,
        completion_price=accepted.completion_price,
    )


def _response(
    completion_id: str, at: datetime, config: GenerationConfig, answered: Answered, attempts: int
) -> CompleteResponse:
    finish = answered.finish
    usage = finish.usage
    return CompleteResponse(
        completion_id=completion_id,
        created_at=at,
        finished_at=answered.at,
        content=answered.text,
        requested_model=config.model,
        model=finish.model,
        provider=finish.provider,
        finish_reason=finish.finish_reason,
        generation_id=finish.generation_id,
        attempts=attempts,
        usage=Usage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        )
        if usage
        else None,
        cost_usd=usage.cost if usage else "",
        time_to_first_token_ms=answered.first_token_ms,
    )
