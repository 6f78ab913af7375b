"""Budgets of threads and messages, and what models can do at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from actors.conversation import contract
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import (
    Budget,
    GenerationConfig,
    ReasoningEffort,
    ResponseFormat,
    ResponseFormatType,
)
from errors import Code, RpcError
from services.openrouter.limits import ModelFacts
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Facts:
    """What the list of models says of one."""

    id: str
    max_completion_tokens: int = 0
    context_length: int = 0
    supported_parameters: tuple[str, ...] = ()
    pricing: Mapping[str, str] = field(default_factory=dict[str, str])


class Listed:
    """The models that are listed."""

    def __init__(self, *facts: Facts) -> None:
        self._facts = {each.id: each for each in facts}

    def first_unknown(self, models: list[str]) -> str | None:
        return next((model for model in models if model not in self._facts), None)

    def facts(self, model: str) -> ModelFacts | None:
        return self._facts.get(model)


def budget(run: str = "", thread: str = "") -> GenerationConfig:
    """A config with a budget."""
    return GenerationConfig(model="m", budget=Budget(run_usd=run, thread_usd=thread))


def spendable(platform: FakePlatform, run_id: str) -> str | None:
    """What a run was told that it may spend."""
    work = dict(platform.sent(generation.run))[run_id].work
    assert work is not None
    return work.spendable.usd if work.spendable else None


async def test_a_run_may_spend_the_lower_of_its_own_and_what_is_left_of_the_threads() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=budget(run="0.5", thread="1"))
        first = await thread.send()
        await thread.finish(first.run_id, cost="0.7")
        second = await thread.send()
        await thread.finish(second.run_id, cost="0.1")
        third = await thread.send(config=budget(run="0.05"))
        found = [spendable(platform, run.run_id) for run in (first, second, third)]
        assert found == ["0.5", "0.3", "0.05"]


async def test_a_message_cannot_raise_the_threads_limits() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=budget(run="0.5", thread="1"))
        sent = await thread.send(config=budget(run="7", thread="9"))
        config = (await thread.run(sent.run_id)).generation_config
        assert config is not None
        assert config.budget == Budget(run_usd="0.5", thread_usd="1")


async def test_a_thread_without_a_budget_is_not_bounded() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        assert spendable(platform, sent.run_id) is None


async def test_a_thread_whose_budget_is_spent_refuses_messages_until_it_is_raised() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=budget(thread="1"))
        first = await thread.send()
        await thread.finish(first.run_id, cost="1.0")
        before = dict(platform.state(contract.component, thread.key))
        for attempt in (thread.send(), thread.regenerate(first.message_id)):
            with pytest.raises(RpcError) as refused:
                await attempt
            assert refused.value.code is Code.QUOTA_EXCEEDED
            assert refused.value.reason == contract.BUDGET_SPENT.word
            assert refused.value.is_terminal
        assert platform.state(contract.component, thread.key) == before
        await thread.update_config(budget(thread="2"))
        assert (await thread.send()).status is RunStatus.RUNNING


async def test_a_message_that_waited_finds_what_is_left_when_its_turn_comes() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=budget(thread="1"))
        first, waiting = await thread.send(), await thread.send()
        await thread.finish(first.run_id, cost="1.5")
        work = (await thread.begin(waiting.run_id)).work
        assert work is not None
        assert work.spendable is not None
        assert work.spendable.usd == "0"


async def test_the_prices_are_those_of_the_dearest_model_that_may_be_asked() -> None:
    cheap = Facts("m", pricing={"prompt": "0.1", "completion": "0.2"})
    dear = Facts("n", pricing={"prompt": "0.05", "completion": "0.9"})
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=Listed(cheap, dear, Facts("unpriced")))
        await thread.open(config=budget(run="1"))
        prices: list[tuple[str, str]] = []
        for fallbacks in ([], ["n"], ["unpriced"]):
            sent = await thread.send(config=GenerationConfig(fallback_models=fallbacks))
            work = dict(platform.sent(generation.run))[sent.run_id].work
            assert work is not None
            assert work.spendable is not None
            prices.append((work.spendable.prompt_price, work.spendable.completion_price))
            await thread.finish(sent.run_id)
        assert prices == [("0.1", "0.2"), ("0.1", "0.9"), ("", "")]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (GenerationConfig(model="m", max_tokens=101), "generationConfig.maxTokens"),
        (
            GenerationConfig(model="m", reasoning_effort=ReasoningEffort.LOW),
            "generationConfig.reasoningEffort",
        ),
        (
            GenerationConfig(model="able", fallback_models=["m"], max_tokens=101),
            "generationConfig.maxTokens",
        ),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_anything_happens(
    asked: GenerationConfig, field: str
) -> None:
    models = Listed(
        Facts("m", max_completion_tokens=100, supported_parameters=("max_tokens",)),
        Facts("able", max_completion_tokens=1000, supported_parameters=("reasoning",)),
        Facts("openai/gpt-4o-mini"),
    )
    async with FakePlatform() as platform:
        thread = Conversation(platform, listed=models)
        await thread.open()
        before = dict(platform.state(contract.component, thread.key))
        for attempt in (thread.send(config=asked), thread.update_config(asked)):
            with pytest.raises(RpcError) as refused:
                await attempt
            assert refused.value.code is Code.INVALID_ARGUMENT
            assert refused.value.reason == contract.BEYOND_MODEL.word
            assert [v.field for v in refused.value.details.field_violations] == [field]
        assert platform.state(contract.component, thread.key) == before
        fine = GenerationConfig(
            model="able", max_tokens=1000, reasoning_effort=ReasoningEffort.HIGH
        )
        assert (await thread.send(config=fine)).status is RunStatus.RUNNING


@pytest.mark.parametrize("schema", [None, {"type": "nothing"}, {"properties": [1]}])
async def test_an_answer_cannot_be_held_to_what_is_no_schema(
    schema: dict[str, object] | None,
) -> None:
    form = ResponseFormat(type=ResponseFormatType.JSON_SCHEMA, json_schema=schema)
    asked = GenerationConfig(response_format=form)
    async with FakePlatform() as platform:
        thread, other = Conversation(platform), Conversation(platform, key="acme/alice/other")
        await thread.open()
        for attempt in (
            thread.send(config=asked),
            thread.update_config(asked),
            other.open(config=asked),
        ):
            with pytest.raises(RpcError) as refused:
                await attempt
            assert refused.value.code is Code.INVALID_ARGUMENT
            fields = [v.field for v in refused.value.details.field_violations]
            assert fields == ["generationConfig.responseFormat.jsonSchema"]
