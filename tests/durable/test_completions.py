"""One completion without a thread: what it answers, how it fails, and when its model is stopped."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, rate_limited
from tests.support.conversation import GATEWAY, Json, RefusedError, User
from tests.support.frames import Frame, frames_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


def asking(text: str, **more: Any) -> Json:
    return {"messages": [{"content": text}], "model": "double/echo", **more}


@asynccontextmanager
async def streaming(
    user: User, body: Json, headers: dict[str, str] | None = None
) -> AsyncGenerator[AsyncGenerator[Frame]]:
    """The frames of a streamed completion. Raises RefusedError."""
    request = user.http.build_request(
        "POST", f"{GATEWAY}stream-complete", json=body, headers=user.headers | (headers or {})
    )
    answer = await user.http.send(request, stream=True)
    try:
        if answer.is_error:
            await answer.aread()
            raise RefusedError(answer.status_code, answer.json()["error"])
        frames = frames_of(answer)
        try:
            yield frames
        finally:
            await frames.aclose()
    finally:
        await answer.aclose()


async def all_of(frames: AsyncGenerator[Frame]) -> tuple[str, list[Frame]]:
    """The text that the last attempt said, and every frame that is no comment."""
    texts: dict[int, str] = {}
    seen: list[Frame] = []
    async for frame in frames:
        if frame.comment:
            continue
        seen.append(frame)
        if frame.event == "completion.delta":
            attempt, offset = frame.data["attempt"], frame.data["offset"]
            assert len(texts.get(attempt, "")) == offset, "live text has no gaps"
            texts[attempt] = texts.get(attempt, "") + frame.data["text"]
    return texts[max(texts)] if texts else "", seen


async def test_a_completion_answers_with_model_usage_and_cost(
    alice: User, model: OpenRouterControl
) -> None:
    await model.script(Answer(text="Alfama and Belém.", cost=0.25), contains="Lisbon")
    answer = await alice.call("complete", asking("Lisbon?"))
    assert answer["completionId"].startswith("cmpl_")
    assert answer["content"] == "Alfama and Belém."
    assert answer["requestedModel"] == answer["model"] == "double/echo"
    assert (answer["provider"], answer["finishReason"]) == ("Double", "stop")
    assert answer["usage"]["totalTokens"] == "4"
    assert answer["costUsd"] == "0.25"
    assert answer["attempts"] == 1


async def test_the_model_sees_the_messages_and_the_config_as_they_were_sent(
    alice: User, model: OpenRouterControl
) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "parts": [{"text": "And this?"}, {"imageUrl": "https://a.b/c.png"}]},
    ]
    config = {"temperature": 0.25, "maxTokens": 64, "stop": ["END"], "seed": 7}
    await alice.call(
        "complete", {"messages": said, "model": "double/echo", "generationConfig": config}
    )
    [call] = await model.calls()
    assert [message["role"] for message in call.messages] == [m["role"] for m in said]
    assert call.messages[3]["content"][1]["image_url"] == {"url": "https://a.b/c.png"}
    sent = {name: call.body[name] for name in ("temperature", "max_tokens", "stop", "seed")}
    assert sent == {"temperature": 0.25, "max_tokens": 64, "stop": ["END"], "seed": 7}


async def test_a_fallback_answers_where_the_model_cannot(
    alice: User, model: OpenRouterControl
) -> None:
    await model.script(Answer(status=503), model="double/echo")
    body = asking("hello", generationConfig={"fallbackModels": ["double/fallback"]})
    answer = await alice.call("complete", body)
    assert (answer["requestedModel"], answer["model"]) == ("double/echo", "double/fallback")


async def test_a_failure_that_passes_is_tried_again(alice: User, model: OpenRouterControl) -> None:
    await model.script(rate_limited(), Answer(text="at last"), contains="patience")
    answer = await alice.call("complete", asking("patience"))
    assert (answer["content"], answer["attempts"]) == ("at last", 2)


@pytest.mark.parametrize("method", ["complete", "stream-complete"])
async def test_a_failure_that_stays_is_the_answer(
    alice: User, model: OpenRouterControl, method: str
) -> None:
    await model.script(Answer(status=402), contains="broke")
    answer = await alice.http.post(GATEWAY + method, json=asking("broke"), headers=alice.headers)
    assert answer.status_code == 402
    assert answer.json()["error"]["code"] == "INSUFFICIENT_CREDITS"


@pytest.mark.parametrize("method", ["complete", "stream-complete"])
async def test_a_model_that_does_not_exist_is_refused(
    alice: User, model: OpenRouterControl, method: str
) -> None:
    answer = await alice.http.post(
        GATEWAY + method, json=asking("hello") | {"model": "no/such"}, headers=alice.headers
    )
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "MODEL_INVALID"
    assert await model.calls() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "tool", "content": "42"}]},
        {"messages": [{"content": "a", "parts": [{"text": "b"}]}]},
        {"messages": [{"content": "a"}], "generationConfig": {"temperature": 3}},
        {"messages": [{"content": "a"}], "maxTokens": 5},
    ],
)
async def test_what_no_model_could_be_asked_is_refused(alice: User, body: Json) -> None:
    with pytest.raises(RefusedError) as refused:
        await alice.call("complete", body)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert refused.value.error["details"]["fieldViolations"]


async def test_a_stream_brings_the_text_as_it_comes_and_ends_with_the_answer(
    alice: User, model: OpenRouterControl
) -> None:
    text = "one two three four five"
    await model.script(Answer(text=text, gate="g", hold_after=2), contains="count")
    async with streaming(alice, asking("count")) as frames:
        first = await anext(frames)
        assert first.event == "completion.delta"
        assert text.startswith(first.data["text"])
        assert len(first.data["text"]) < len(text)
        await model.release("g")
        rest, seen = await all_of(_with(first, frames))
    assert rest == text
    assert [frame.event for frame in seen[-2:]] == ["completion.delta", "completion.completed"]
    assert seen[-1].data["content"] == text
    assert seen[-1].data["usage"]["completionTokens"] == "5"


async def _with(first: Frame, frames: AsyncGenerator[Frame]) -> AsyncGenerator[Frame]:
    yield first
    async for frame in frames:
        yield frame


async def test_a_failure_in_mid_stream_is_its_last_event(
    alice: User, model: OpenRouterControl
) -> None:
    answers = [Answer(text="one two three", gate="g", hold_after=1, error_after=2, error_code=402)]
    await model.script(*answers, contains="breaks")
    async with streaming(alice, asking("breaks")) as frames:
        first = await anext(frames)
        await model.release("g")
        _, seen = await all_of(_with(first, frames))
    assert seen[-1].event == "error"
    assert seen[-1].data["error"]["code"] == "INSUFFICIENT_CREDITS"
    assert seen[-1].data["error"]["details"]["requestId"]


async def test_a_new_attempt_makes_the_text_before_it_void(
    alice: User, model: OpenRouterControl
) -> None:
    await model.script(
        Answer(text="lost lost lost", gate="g", hold_after=1, cut_after=2),
        Answer(text="kept"),
        contains="twice",
    )
    async with streaming(alice, asking("twice")) as frames:
        first = await anext(frames)
        await model.release("g")
        text, seen = await all_of(_with(first, frames))
    assert text == "kept"
    assert seen[-1].data["attempts"] == 2


@pytest.mark.live_only
@pytest.mark.parametrize("method", ["complete", "stream-complete"])
async def test_a_client_that_goes_away_stops_the_model_within_a_second(
    alice: User, model: OpenRouterControl, method: str
) -> None:
    await model.script(Answer(text="one two three", gate="never", hold_after=1), contains="leave")
    async with httpx.AsyncClient(base_url=alice.http.base_url, trust_env=False) as http:
        leaving = asyncio.create_task(_read(http, method, asking("leave"), dict(alice.headers)))
        await model.wait(calls=1, waiting=True)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await model.wait(call=0, call_closed=True, timeout_seconds=5)
    [call] = await model.calls()
    assert call.closed_by_client


async def _read(http: httpx.AsyncClient, method: str, body: Json, headers: dict[str, str]) -> None:
    async with http.stream("POST", GATEWAY + method, json=body, headers=headers) as answer:
        async for _ in answer.aiter_bytes():
            pass


@pytest.mark.live_only
async def test_a_completion_with_a_key_goes_on_without_its_client_and_is_told_once(
    alice: User, model: OpenRouterControl
) -> None:
    await model.script(Answer(text="worth the wait", gate="g", hold_after=1), contains="later")
    key = {"idempotency-key": str(uuid.uuid4())}
    async with httpx.AsyncClient(base_url=alice.http.base_url, trust_env=False) as http:
        leaving = asyncio.create_task(
            _read(http, "stream-complete", asking("later"), alice.headers | key)
        )
        await model.wait(calls=1, waiting=True)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    async with streaming(alice, asking("later"), key) as frames:
        first = await anext(frames)
        assert first.data["text"].strip() == "worth"
        await model.release("g")
        text, seen = await all_of(_with(first, frames))
    assert text == "worth the wait"
    async with streaming(alice, asking("later"), key) as frames:
        again, repeated = await all_of(frames)
    assert again == text
    assert repeated[-1].data == seen[-1].data
    assert len(await model.calls()) == 1


async def test_a_key_that_was_used_for_another_completion_is_refused(
    alice: User, model: OpenRouterControl
) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    headers = alice.headers | key
    first = await alice.http.post(GATEWAY + "complete", json=asking("one"), headers=headers)
    other = await alice.http.post(GATEWAY + "complete", json=asking("two"), headers=headers)
    assert first.status_code == 200
    assert other.json()["error"]["code"] == "IDEMPOTENCY_CONFLICT"
    assert len(await model.calls()) == 1


async def test_the_same_key_of_another_user_is_another_completion(
    stack: RunningStack, alice: User, bob: User, model: OpenRouterControl
) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    answers = [
        await user.http.post(GATEWAY + "complete", json=asking("mine"), headers=user.headers | key)
        for user in (alice, bob)
    ]
    ids = {answer.json()["completionId"] for answer in answers}
    assert len(ids) == 2
    assert len(await model.calls()) == 2


async def test_a_budget_binds_a_completion(alice: User, model: OpenRouterControl) -> None:
    """A token of the double's answers costs 0.000002 dollars, one of a question half of that."""
    await model.script(Answer(token_count=100), contains="long")
    config = {"budget": {"runUsd": "0.000030"}}
    answer = await alice.call("complete", asking("a long one", generationConfig=config))
    assert answer["finishReason"] == "length"
    assert float(answer["costUsd"]) <= 0.000030
    for method in ("complete", "stream-complete"):
        body = asking("a long one", generationConfig={"budget": {"runUsd": "0.000001"}})
        refused = await alice.http.post(GATEWAY + method, json=body, headers=alice.headers)
        assert refused.status_code == 429
        assert refused.json()["error"]["details"]["reason"] == "budget.spent"
    body = asking("x", generationConfig={"budget": {"threadUsd": "1"}})
    with pytest.raises(RefusedError) as impossible:
        await alice.call("complete", body)
    [violation] = impossible.value.error["details"]["fieldViolations"]
    assert violation["field"] == "generationConfig.budget.threadUsd"
