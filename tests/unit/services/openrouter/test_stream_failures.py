"""What goes wrong with a model is a value in the chunk, and the partial stays."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devstack.openrouter import messages
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from errors import Code
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest, Delta, Finish
from tests.support.models import question
from tests.support.streams import RUN, Reader

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("answer", "code", "reason", "text"),
    [
        (messages.rate_limited("5"), Code.RATE_LIMITED, "model.rate_limited", ""),
        (messages.no_credits(), Code.INSUFFICIENT_CREDITS, "openrouter.no_credits", ""),
        (messages.moderated(), Code.CONTENT_FILTERED, "model.moderated", ""),
        (Answer(status=500), Code.UPSTREAM_ERROR, "model.failed", ""),
        (Answer(error_in_200=True, error_code=503), Code.UNAVAILABLE, "model.unavailable", ""),
        (Answer(garbage="html"), Code.UPSTREAM_ERROR, "model.garbage", ""),
        (Answer(tokens=[]), Code.UPSTREAM_ERROR, "model.empty_answer", ""),
        (Answer(text="a b c", cut_after=2), Code.UPSTREAM_ERROR, "model.stream_cut", "a b "),
        (
            Answer(text="a b c", error_after=2, error_code="server_error"),
            Code.UPSTREAM_ERROR,
            "model.failed",
            "a b ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_failure_is_a_value_and_keeps_the_partial(
    streams: ModelStreams,
    double: OpenRouterControl,
    answer: Answer,
    code: Code,
    reason: str,
    text: str,
) -> None:
    await double.script(answer)
    reader = Reader(streams)
    chunk = await reader.finish()
    assert reader.text == text
    assert chunk.finish is None
    assert chunk.failure is not None
    assert (chunk.failure.code, chunk.failure.reason) == (code, reason)


async def test_a_stall_is_a_value_and_keeps_the_partial(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="a b c", stall_after=2))
    reader = Reader(streams, question(inter_token_timeout_seconds=0.1))
    chunk = await reader.finish()
    assert chunk.failure is not None
    assert (reader.text, chunk.failure.reason) == ("a b ", "model.stalled")


async def test_a_failed_attempt_is_tried_again_only_when_asked_to(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="half of", cut_after=1), Answer(text="whole"))
    reader = Reader(streams)
    failed = await reader.finish()
    assert (await reader.peek()).error == failed.error
    assert len(await double.calls()) == 1
    reader.attempt_id, reader.attempt, reader.text = None, 2, ""
    chunk = await reader.finish()
    assert (chunk.attempt, reader.text, chunk.error) == (2, "whole", None)
    assert len(await double.calls()) == 2


async def test_a_request_that_cannot_be_made_leaves_nothing_behind(streams: ModelStreams) -> None:
    def request() -> ChatRequest:
        raise KeyError

    with pytest.raises(KeyError):
        await streams.take(RUN, request, attempt_id=None, attempt=1, offset=0, every=1)
    assert streams.places_taken == 0


async def test_a_bug_in_the_client_is_an_internal_error_that_says_nothing() -> None:
    class Broken:
        @asynccontextmanager
        async def stream_chat(
            self, request: ChatRequest
        ) -> AsyncGenerator[AsyncIterator[Delta | Finish]]:
            raise ZeroDivisionError(request.model)
            yield

    streams = ModelStreams(Broken())
    chunk = await Reader(streams).finish()
    assert chunk.failure is not None
    assert chunk.failure.code is Code.INTERNAL
    assert "double/echo" not in json.dumps(chunk.to_json())
