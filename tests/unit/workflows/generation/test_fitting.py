"""A context is made to fit its model, and an ordinary one is not even counted."""

import pytest

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage, RunStatus, Work
from actors.conversation.contract.thread import GenerationConfig
from services.openrouter.tokens import context_tokens
from services.openrouter.wire import ChatMessage
from tests.support.generations import END, generating
from workflows.generation import fitting
from workflows.generation.fitting import fitted

pytestmark = pytest.mark.anyio

MODEL = "openai/gpt-4o-mini"


def work_of(contents: list[str], limit: int, *, pinned: int = 0, known: int = 0) -> Work:
    """Work with these messages; `known` of them were measured at ten tokens each."""
    return Work(
        generation_config=GenerationConfig(model=MODEL),
        context=[ContextMessage(role=Role.user, content=text) for text in contents],
        prompt_limit=limit,
        pinned=pinned,
        known_messages=known,
        known_tokens=known * 10,
    )


def left(work: Work, more: list[ChatMessage] | None = None) -> list[str]:
    """The first words of the messages that are sent."""
    return [m.content.split()[0] for m in fitted(work, more or [], 0).work.context]


WORDS = [f"{number} " + "word " * 100 for number in range(10)]


def test_a_context_that_surely_fits_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "context_tokens", None)
    fit = fitted(work_of(WORDS, 100_000), [], 0)
    assert (len(fit.work.context), fit.dropped) == (10, 0)
    assert fitted(work_of(WORDS, 0), [], 10**9).dropped == 0


def test_the_oldest_messages_are_left_out_until_the_rest_fits() -> None:
    fit = fitted(work_of(WORDS, 500), [], 0)
    assert fit.dropped == 10 - len(fit.work.context) > 0
    assert context_tokens(fit.work.context, MODEL) <= 500
    assert left(work_of(WORDS, 500)) == [str(n) for n in range(fit.dropped, 10)]


def test_what_is_pinned_and_the_question_stay_whatever_their_size() -> None:
    assert left(work_of(WORDS, 10, pinned=2)) == ["0", "1", "9"]
    assert left(work_of(WORDS[:1], 10)) == ["0"]


def test_what_the_model_reported_counts_and_only_what_came_after_is_estimated() -> None:
    # Ten messages of a hundred words, which the model has counted as ten tokens each.
    assert len(left(work_of(WORDS, 500, known=9))) == 10
    assert len(left(work_of(WORDS, 500, known=0))) < 10


def test_calls_and_results_of_this_run_take_their_room() -> None:
    more = [ChatMessage(role="tool", content="word " * 300, tool_call_id="1")]
    assert len(left(work_of(WORDS, 1500))) == 10
    assert len(left(work_of(WORDS, 1500), more)) < 10
    assert fitted(work_of(WORDS, 1500), [], 3000).dropped > 0


async def test_a_run_tells_how_many_messages_it_left_out_and_how_large_its_context_was() -> None:
    async with generating(["said", END]) as run:
        run.work = work_of(WORDS, 500)
        report = await run.run()
        [asked] = run.model.asked
        assert report.context_dropped == 10 - len(asked.messages) > 0
        assert report.context_tokens == 12


async def test_a_run_whose_thread_is_longer_than_any_context_fails_without_asking() -> None:
    async with generating(["said", END]) as run:
        run.work = Work(overflow=True)
        report = await run.run()
        assert report.status is RunStatus.FAILED
        assert (report.error or {})["code"] == "CONTEXT_LENGTH_EXCEEDED"
        assert run.model.asked == []
