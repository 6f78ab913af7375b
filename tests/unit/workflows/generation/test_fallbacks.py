"""Asking the next model when one cannot answer, and what is told of it."""

import asyncio

import pytest

from actors.conversation.contract.run import RunStatus, Work
from actors.conversation.contract.thread import GenerationConfig
from errors import RpcError, wire
from services.openrouter import reasons
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from tests.support.generations import END, Generating, Line, ScriptedModel, generating

pytestmark = pytest.mark.anyio

BUSY, HELD_BACK = reasons.UNAVAILABLE.error(), reasons.MODERATED.error()


def with_fallbacks(run: Generating, *models: str) -> None:
    """The run may ask these when the model that it was asked for cannot answer."""
    config = GenerationConfig(model="first", fallback_models=list(models))
    assert run.work is not None
    run.work = run.work.model_copy(update={"generation_config": config})


async def test_the_next_model_is_asked_at_once_and_the_reason_is_kept() -> None:
    async with generating([BUSY], ["half", HELD_BACK], ["answer", END]) as run:
        with_fallbacks(run, "second", "third")
        before = run.platform.now
        report = await run.run()
        assert [r.model for r in run.model.asked] == ["first", "second", "third"]
        assert all(request.fallbacks == () for request in run.model.asked)
        assert (report.status, report.text, report.attempt) == (RunStatus.COMPLETED, "answer", 3)
        assert [(f.model, f.error) for f in report.fallbacks] == [
            ("first", wire.to_envelope(BUSY)["error"]),
            ("second", wire.to_envelope(HELD_BACK)["error"]),
        ]
        assert [retried.attempt for retried in run.retried()] == [2, 3]
        assert run.platform.now == before


async def test_the_last_model_is_asked_as_often_as_one_without_fallbacks() -> None:
    async with generating([BUSY]) as run:
        with_fallbacks(run, "second")
        report = await run.run()
        assert [r.model for r in run.model.asked] == ["first", *["second"] * 3]
        assert report.status is RunStatus.FAILED
        assert report.error == wire.to_envelope(BUSY)["error"]
        assert [f.model for f in report.fallbacks] == ["first"]


@pytest.mark.parametrize("failure", [reasons.UNREACHABLE.error(), reasons.NO_CREDITS.error()])
async def test_what_every_model_would_meet_leaves_none_of_them(failure: RpcError) -> None:
    async with generating([failure]) as run:
        with_fallbacks(run, "second")
        report = await run.run()
        assert {request.model for request in run.model.asked} == {"first"}
        assert report.fallbacks == []


async def test_a_run_that_was_stopped_asks_no_other_model() -> None:
    async with generating(["half", asyncio.Event()], ["never"]) as run:
        with_fallbacks(run, "second")
        started = run.start()
        await run.stop()
        await run.platform.finish(started)
        assert run.report().status is RunStatus.CANCELLED
        assert run.report().fallbacks == []


async def test_falling_back_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        script: tuple[list[Line], ...] = ([BUSY], ["answer", END])
        run = Generating(platform, ScriptedModel(*script))
        with_fallbacks(run, "second")
        assert isinstance(run.work, Work)
        try:
            report = await run.run()
        finally:
            await run.streams.aclose()
        return [report.text, report.model, [f.model for f in report.fallbacks]]

    assert await survives_every_crash(story) >= 3
