"""Every way a model fails: what the run record, the thread and the events say.

All cases run at the same time, each in a conversation of its own whose message names the case;
`cases` waits for all of them, and each test looks at one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, Call, moderated, no_credits, rate_limited
from tests.support.conversation import (
    Conversation,
    Json,
    RefusedError,
    User,
    calls_about,
    model_of,
    types_of,
    user_of,
)
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

GOOD = Answer(text="all is well")
WITH_FALLBACK = {"model": "double/echo", "fallbackModels": ["double/fallback"]}


@dataclass(frozen=True)
class Case:
    """How the model answers, call by call, and how it was asked."""

    answers: tuple[Answer, ...]
    config: Json = field(default_factory=dict[str, Any])
    fallback: Answer | None = None


def thrice(answer: Answer) -> Case:
    """A model that fails as often as it is asked."""
    return Case((answer,) * 3)


CASES = {
    "no credits": Case((no_credits(),)),
    "429, later fine": Case((rate_limited(), GOOD)),
    "429 with Retry-After, later fine": Case((rate_limited(retry_after="2"), GOOD)),
    "429 for ever": thrice(rate_limited(retry_after="1")),
    "500, later fine": Case((Answer(status=500), GOOD)),
    "500 for ever": thrice(Answer(status=500)),
    "cut, later fine": Case((Answer(text="half of it is lost", cut_after=2), GOOD)),
    "cut for ever": thrice(Answer(text="one two three four", cut_after=2)),
    "end without an end": Case((Answer(text="one two three", end_after=2), GOOD)),
    "a page": thrice(Answer(garbage="html")),
    "bytes": thrice(Answer(garbage="binary")),
    "garbage in mid-stream": thrice(Answer(text="one two three", garbage_after=1)),
    "error inside a 200": Case((Answer(error_in_200=True, error_code=502), GOOD)),
    "final error inside a 200": Case((Answer(error_in_200=True, error_code=402),)),
    "error in mid-stream": Case(
        (Answer(text="a b c", error_after=1, error_code="overloaded"), GOOD)
    ),
    "moderated": Case((moderated("bad words"),)),
    "answer held back": Case((Answer(text="", finish_reason="content_filter"),)),
    "empty answer": thrice(Answer(text="")),
    "a megabyte": Case((Answer(size_bytes=1_000_000),)),
    "ten thousand tokens": Case((Answer(token_count=10_000),)),
    "fallback": Case((Answer(status=503),), WITH_FALLBACK, GOOD),
    "fallback fails too": Case((Answer(status=503),) * 3, WITH_FALLBACK, Answer(status=503)),
}


@dataclass(frozen=True)
class Outcome:
    """What is left of a case when its run is over."""

    run: Json
    events: list[Json]
    state: Json
    calls: list[Call]

    @property
    def answers(self) -> list[Json]:
        """The assistant's messages."""
        return [message for message in self.state["messages"] if message["role"] == "assistant"]

    @property
    def types(self) -> list[str]:
        """The types of the events."""
        return types_of(self.events)


Outcomes = Mapping[str, Outcome]


@pytest.fixture(scope="module")
async def outcomes(stack: RunningStack) -> Outcomes:
    """Every case, played to its end."""
    found: dict[str, Outcome] = {}
    async with model_of(stack) as model, user_of(stack) as alice:

        async def play(name: str, case: Case) -> None:
            found[name] = await outcome_of(model, await alice.create(), name, case)

        async with anyio.create_task_group() as group:
            for name, case in CASES.items():
                group.start_soon(play, name, case)
    return found


async def outcome_of(
    model: OpenRouterControl, thread: Conversation, name: str, case: Case
) -> Outcome:
    """Play one case."""
    message = f"case: {name}."
    own = case.config.get("model")
    await model.script(*case.answers, contains=message, model=own)
    if case.fallback is not None:
        await model.script(
            case.fallback, contains=message, model="double/fallback", repeat_last=True
        )
    run = await thread.ask(message, generationConfig=case.config)
    calls = await calls_about(model, message)
    return Outcome(run, await thread.events(), await thread.state(), calls)


def answered(outcome: Outcome, text: str, *, attempts: int = 1) -> None:
    """The run completed with this text, and record, thread and events agree about it."""
    retries = ["run.retrying"] * (attempts - 1)
    assert outcome.types == [
        "message.created", "run.started", *retries, "message.completed", "run.completed",
    ]  # fmt: skip
    assert outcome.run["status"] == "COMPLETED"
    assert "error" not in outcome.run
    assert outcome.run["attempts"] == attempts == len(outcome.calls)
    (answer,) = outcome.answers
    assert answer["content"] == text
    assert "partial" not in answer
    assert answer["messageId"] == outcome.run["answerMessageId"]
    assert outcome.events[-2]["message"] == answer
    assert outcome.events[-1]["attempt"] == attempts
    assert outcome.state["status"] == "IDLE"


def failed(
    outcome: Outcome, code: str, reason: str, *, terminal: bool, attempts: int, partial: str = ""
) -> Json:
    """The run failed with this error, and record, thread and events agree; the error."""
    retries = ["run.retrying"] * (attempts - 1)
    kept = ["message.completed"] if partial else []
    assert outcome.types == ["message.created", "run.started", *retries, *kept, "run.failed"]
    assert outcome.run["status"] == "FAILED"
    error = outcome.run["error"]
    found = error["code"], error["details"]["reason"], error["isTerminal"]
    assert found == (code, reason, terminal)
    assert outcome.events[-1]["error"] == error
    assert outcome.run["attempts"] == attempts == len(outcome.calls)
    told = [event["error"]["code"] for event in outcome.events if event["type"] == "run.retrying"]
    assert told == [code] * (attempts - 1)
    assert [(a["content"], a["partial"]) for a in outcome.answers] == [(partial, True)] * len(kept)
    assert outcome.state["status"] == "IDLE"
    return error


async def test_an_unknown_model_is_refused_when_the_message_is_sent(
    model: OpenRouterControl, alice: User
) -> None:
    await alice.call("list-models")  # from here on the list is known
    thread = await alice.create()
    for config in ({"model": "double/nobody"}, {"fallbackModels": ["double/nobody"]}):
        with pytest.raises(RefusedError) as refused:
            await thread.send("hello", generationConfig=config)
        assert (refused.value.status, refused.value.code) == (404, "MODEL_INVALID")
        assert refused.value.reason == "model.unknown"
        assert refused.value.is_terminal
        details = refused.value.error["details"]
        assert details["modelError"]["model"] == "double/nobody"
        assert details["outcome"] == "NOT_STARTED"
    state = await thread.state()
    assert (state["messages"], state["status"], await thread.events()) == ([], "IDLE", [])
    assert (await thread.call("list-runs"))["runs"] == []
    assert await model.calls() == []


async def test_a_thread_cannot_be_made_with_an_unknown_model(alice: User) -> None:
    await alice.call("list-models")
    with pytest.raises(RefusedError) as refused:
        await alice.create("with-an-unknown-model", generationConfig={"model": "double/nobody"})
    assert (refused.value.code, refused.value.reason) == ("MODEL_INVALID", "model.unknown")
    with pytest.raises(RefusedError) as missing:
        await Conversation(alice, "with-an-unknown-model").state()
    assert missing.value.reason == "thread.not_found"


async def test_without_credits_a_run_fails_at_once(outcomes: Outcomes) -> None:
    outcome = outcomes["no credits"]
    error = failed(
        outcome, "INSUFFICIENT_CREDITS", "openrouter.no_credits", terminal=True, attempts=1
    )
    assert error["details"]["upstreamError"]["statusCode"] == 402


async def test_a_rate_limited_model_is_asked_again(outcomes: Outcomes) -> None:
    answered(outcomes["429, later fine"], "all is well", attempts=2)


async def test_a_rate_limited_model_is_asked_again_when_it_said_so(outcomes: Outcomes) -> None:
    outcome = outcomes["429 with Retry-After, later fine"]
    answered(outcome, "all is well", attempts=2)
    first, second = outcome.calls
    assert second.started_at - first.started_at >= 2
    retrying = outcome.events[2]
    assert retrying["error"]["code"] == "RATE_LIMITED"
    assert retrying["error"]["details"]["retryInfo"]["retryAfter"] == "2s"


async def test_a_model_that_stays_rate_limited_fails_the_run(outcomes: Outcomes) -> None:
    error = failed(
        outcomes["429 for ever"], "RATE_LIMITED", "model.rate_limited", terminal=False, attempts=3
    )
    assert error["details"]["retryInfo"]["retryAfter"] == "1s"
    assert error["details"]["upstreamError"]["statusCode"] == 429


async def test_a_failing_provider_is_asked_again(outcomes: Outcomes) -> None:
    answered(outcomes["500, later fine"], "all is well", attempts=2)


async def test_a_provider_that_keeps_failing_fails_the_run(outcomes: Outcomes) -> None:
    failed(outcomes["500 for ever"], "UPSTREAM_ERROR", "model.failed", terminal=False, attempts=3)


async def test_a_cut_stream_starts_anew_and_none_of_its_text_is_kept(outcomes: Outcomes) -> None:
    outcome = outcomes["cut, later fine"]
    answered(outcome, "all is well", attempts=2)
    assert outcome.calls[0].text_sent == "half of "
    assert outcome.events[2]["attempt"] == 2


async def test_a_stream_that_is_always_cut_leaves_the_last_partial(outcomes: Outcomes) -> None:
    failed(
        outcomes["cut for ever"],
        "UPSTREAM_ERROR",
        "model.stream_cut",
        terminal=False,
        attempts=3,
        partial="one two ",
    )


async def test_a_stream_that_ends_without_an_end_is_not_an_answer(outcomes: Outcomes) -> None:
    answered(outcomes["end without an end"], "all is well", attempts=2)


@pytest.mark.parametrize("name", ["a page", "bytes"])
async def test_garbage_instead_of_an_answer_fails_the_run(outcomes: Outcomes, name: str) -> None:
    failed(outcomes[name], "UPSTREAM_ERROR", "model.garbage", terminal=False, attempts=3)


async def test_garbage_in_mid_stream_leaves_the_partial(outcomes: Outcomes) -> None:
    failed(
        outcomes["garbage in mid-stream"],
        "UPSTREAM_ERROR",
        "model.garbage",
        terminal=False,
        attempts=3,
        partial="one ",
    )


async def test_an_error_inside_a_200_is_an_error(outcomes: Outcomes) -> None:
    answered(outcomes["error inside a 200"], "all is well", attempts=2)
    failed(
        outcomes["final error inside a 200"],
        "INSUFFICIENT_CREDITS",
        "openrouter.no_credits",
        terminal=True,
        attempts=1,
    )


async def test_an_error_in_mid_stream_starts_anew(outcomes: Outcomes) -> None:
    answered(outcomes["error in mid-stream"], "all is well", attempts=2)


async def test_a_moderated_request_fails_without_a_second_try(outcomes: Outcomes) -> None:
    error = failed(
        outcomes["moderated"], "CONTENT_FILTERED", "model.moderated", terminal=True, attempts=1
    )
    assert error["details"]["modelError"]["provider"] == "Double"


async def test_an_answer_that_was_held_back_is_moderated(outcomes: Outcomes) -> None:
    outcome = outcomes["answer held back"]
    failed(outcome, "CONTENT_FILTERED", "model.moderated", terminal=True, attempts=1)


async def test_an_empty_answer_is_a_failure(outcomes: Outcomes) -> None:
    outcome = outcomes["empty answer"]
    failed(outcome, "UPSTREAM_ERROR", "model.empty_answer", terminal=False, attempts=3)


async def test_an_answer_of_a_megabyte_is_kept_whole(outcomes: Outcomes) -> None:
    outcome = outcomes["a megabyte"]
    assert len(outcome.calls[0].text_sent) == 1_000_000
    answered(outcome, outcome.calls[0].text_sent)


async def test_a_stream_of_ten_thousand_tokens_is_kept_whole(outcomes: Outcomes) -> None:
    outcome = outcomes["ten thousand tokens"]
    assert outcome.calls[0].tokens_sent == 10_000
    answered(outcome, outcome.calls[0].text_sent)
    assert outcome.run["usage"]["completionTokens"] == "10000"


async def test_a_fallback_model_answers_when_the_first_cannot(outcomes: Outcomes) -> None:
    outcome = outcomes["fallback"]
    answered(outcome, "all is well", attempts=2)
    assert [call.tried for call in outcome.calls] == [["double/echo"], ["double/fallback"]]
    [left] = outcome.run["fallbacks"]
    assert left["model"] == "double/echo"
    assert left["error"]["details"]["reason"] == "model.unavailable"
    assert outcome.run["model"] == outcome.answers[0]["model"] == "double/fallback"
    assert outcome.run["generationConfig"]["model"] == "double/echo"


async def test_a_run_fails_when_the_fallback_fails_too(outcomes: Outcomes) -> None:
    outcome = outcomes["fallback fails too"]
    failed(outcome, "UNAVAILABLE", "model.unavailable", terminal=False, attempts=4)
    assert [call.model for call in outcome.calls] == ["double/echo", *["double/fallback"] * 3]


async def test_a_run_record_says_what_was_used(outcomes: Outcomes) -> None:
    run = outcomes["500, later fine"].run
    assert run["provider"] == "Double"
    assert run["generationId"] == outcomes["500, later fine"].calls[1].id
    assert run["finishReason"] == "stop"
    assert run["usage"]["totalTokens"] == str(
        int(run["usage"]["promptTokens"]) + int(run["usage"]["completionTokens"])
    )
    assert float(run["costUsd"]) > 0
    assert run["createdAt"] <= run["startedAt"] <= run["finishedAt"]
    state = outcomes["500, later fine"].state
    assert (state["totalUsage"], state["totalCostUsd"]) == (run["usage"], run["costUsd"])


async def test_a_thread_goes_on_after_a_failed_run(model: OpenRouterControl, alice: User) -> None:
    thread = await alice.create()
    await model.script(no_credits(), contains="the first")
    assert (await thread.ask("the first"))["status"] == "FAILED"
    assert (await thread.ask("the second"))["status"] == "COMPLETED"
    assert await thread.said() == [
        ("user", "the first"),
        ("user", "the second"),
        ("assistant", "You said: the second"),
    ]
