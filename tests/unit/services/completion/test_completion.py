"""A completion from its place among the streams to its answer, whatever happens on the way."""

import asyncio

import pytest

from actors.conversation.contract.thread import GenerationConfig
from errors import Code, RpcError
from services.completion import contract
from services.completion.contract import CompleteRequest
from services.openrouter import reasons
from tests.support.completions import ASKED, completing
from tests.support.generations import END, Line

pytestmark = pytest.mark.anyio

both_lanes = pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])


@both_lanes
async def test_the_answer_is_whole_and_says_what_it_cost(suspends: bool) -> None:
    async with completing(["Hel", "lo", END], suspends=suspends) as it:
        answer = await it.ask()
        assert (answer.content, answer.attempts) == ("Hello", 1)
        assert (answer.requested_model, answer.model) == ("asked/for", "served/by")
        assert answer.usage is not None
        assert answer.usage.total_tokens == 12
        assert answer.cost_usd == "0.01"
        assert len(it.model.asked) == 1
        assert set(it.followers.left) == {answer.completion_id}
        assert it.streams.places_taken == 0


async def test_without_a_model_the_default_is_asked() -> None:
    async with completing(["x", END]) as it:
        answer = await it.ask(CompleteRequest(messages=ASKED.messages))
        assert it.model.asked[0].model == answer.requested_model == "the/default"


async def test_a_fallback_that_does_not_exist_is_refused_before_anything_is_asked() -> None:
    async with completing(["x", END]) as it:
        config = GenerationConfig(model="asked/for", fallback_models=["no/such"])
        error = await it.refused(ASKED.model_copy(update={"generation_config": config}))
        assert error.code is Code.MODEL_INVALID
        assert it.model.asked == []
        assert it.streams.places_taken == 0


async def test_without_a_place_among_the_streams_it_is_refused_at_once() -> None:
    async with completing(["x", END], limit=1) as it:
        it.streams.admit("another")
        error = await it.refused()
        assert (error.reason, error.is_terminal) == ("completion.busy", False)
        assert it.model.asked == []


@both_lanes
async def test_a_failure_that_passes_is_tried_again_as_the_next_attempt(suspends: bool) -> None:
    scripts: list[list[Line]] = [["lo", reasons.STREAM_CUT.error()], ["whole", END]]
    async with completing(*scripts, suspends=suspends) as it:
        answer = await it.ask()
        assert (answer.content, answer.attempts) == ("whole", 2)


async def test_a_failure_is_told_when_the_bound_is_spent() -> None:
    async with completing([reasons.RATE_LIMITED.error()]) as it:
        error = await it.refused()
        assert (error.code, error.is_terminal) == (Code.RATE_LIMITED, False)
        assert len(it.model.asked) == 2


async def test_a_failure_that_will_not_pass_is_told_at_once() -> None:
    async with completing([reasons.NO_CREDITS.error()]) as it:
        assert (await it.refused()).code is Code.INSUFFICIENT_CREDITS
        assert len(it.model.asked) == 1
        assert set(it.followers.left) == set(it.followers.followed)


async def test_when_nobody_follows_any_more_the_model_is_stopped_and_not_asked_again() -> None:
    async with completing(["half", asyncio.Event()]) as it:
        invocation = it.platform.start(contract.complete, ASKED)
        await it.platform.until(lambda: it.model.open == 1)
        it.followers.gone = True
        it.streams.stop(it.followers.followed[0])
        with pytest.raises(RpcError) as failed:
            await it.platform.finish(invocation)
        assert failed.value.reason == "completion.abandoned"
        assert (it.model.open, len(it.model.asked)) == (0, 1)


async def test_a_process_that_closes_its_streams_ends_no_completion() -> None:
    """Half an answer would pass for a whole one: another process asks again."""
    async with completing(["half", asyncio.Event()], ["whole", END]) as it:
        invocation = it.platform.start(contract.complete, ASKED)
        await it.platform.until(lambda: it.model.open == 1)
        it.streams.lose()
        await it.platform.finish(invocation)
        assert [len(it.model.asked), it.model.open] == [2, 0]
