"""The local model looks like OpenRouter: to our own client, and to who goes in mid-answer."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from devstack import local_model
from devstack.cloud.local_model import LOCAL_MODEL_ROW, LocalModel
from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.keys import LOCAL_MODEL_ID
from devstack.openrouter.app import OpenRouterDouble
from devstack.processes import Command, Process, free_port
from devstack.serving import serving

pytestmark = pytest.mark.anyio

CHAT = "/api/v1/chat/completions"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TOO_LONG = {
    "code": 400,
    "message": "increase it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 20031,
    "n_ctx": 4096,
}


class Llama:
    """What llama.cpp's server answers, as far as it was seen; `plan` says which of it."""

    def __init__(self) -> None:
        self.plan = "answer"
        self.asked: dict[str, Any] = {}
        self.gone = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        self.asked = json.loads(await exchange.body())
        plans: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "answer": self._answer,
            "refuse": self._refuse,
            "break": self._break,
            "hold": self._hold,
        }
        async with exchange:
            try:
                await plans[self.plan](exchange)
            except ClientGoneError:
                self.gone.set()

    def close(self) -> None:
        self._over.set()

    async def _answer(self, exchange: Exchange) -> None:
        if not self.asked["stream"]:
            choice = {"index": 0, "message": {"content": "Hi you"}, "finish_reason": "stop"}
            await exchange.send_json(200, {"id": "c", "choices": [choice], "usage": USAGE})
            return
        await self._pieces(exchange)
        await self._data(exchange, {"choices": [], "usage": USAGE, "timings": {}})
        await exchange.write(b"data: [DONE]\n\n")
        await exchange.end()

    async def _pieces(self, exchange: Exchange) -> None:
        await exchange.start(200, {"content-type": "text/event-stream"})
        for delta in ({"role": "assistant", "content": None}, {"content": "Hi "}):
            choices = [{"index": 0, "delta": delta, "finish_reason": None}]
            await self._data(exchange, {"id": "chatcmpl-1", "choices": choices})

    async def _data(self, exchange: Exchange, chunk: dict[str, Any]) -> None:
        await exchange.write(f"data: {json.dumps(chunk)}\n\n".encode())

    async def _refuse(self, exchange: Exchange) -> None:
        await exchange.send_json(400, {"error": TOO_LONG})

    async def _break(self, exchange: Exchange) -> None:
        await self._pieces(exchange)

    async def _hold(self, exchange: Exchange) -> None:
        await self._pieces(exchange)
        await exchange.wait_for(self._over)


class Stand:
    """The local model in front of a double, and what stands for llama.cpp behind it."""

    def __init__(self, address: str, llama: Llama) -> None:
        self.llama = llama
        headers = {"authorization": "Bearer k"}
        self.http = httpx.AsyncClient(base_url=address, headers=headers, verify=False, timeout=20)

    async def ask(self, model: str = LOCAL_MODEL_ID, **more: Any) -> httpx.Response:
        return await self.http.post(CHAT, json=request(model, **more))


def request(model: str = LOCAL_MODEL_ID, **more: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]
    return {"model": model, "messages": [{"role": "user", "content": parts}], **more}


@asynccontextmanager
async def standing(model_url: str, llama: Llama) -> AsyncGenerator[Stand]:
    application = LocalModel(OpenRouterDouble([LOCAL_MODEL_ROW]), model_url)
    async with serving(application, free_port()) as address:
        stand = Stand(address, llama)
        async with stand.http:
            yield stand


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    llama = Llama()
    async with serving(llama, free_port()) as model_url, standing(model_url, llama) as stand:
        yield stand


def chunks(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_the_model_is_listed_beside_the_scripted_ones(stand: Stand) -> None:
    ids = [row["id"] for row in (await stand.http.get("/api/v1/models")).json()["data"]]
    assert LOCAL_MODEL_ID in ids
    assert "double/echo" in ids


async def test_other_models_are_answered_by_the_double(stand: Stand) -> None:
    answer = await stand.ask("double/echo")
    assert answer.json()["choices"][0]["message"]["content"] == "You said: Hi"
    assert not stand.llama.asked


async def test_a_stream_has_the_vendors_shape_and_costs_nothing(stand: Stand) -> None:
    seen = chunks(await stand.ask(stream=True))
    deltas = [each["choices"][0]["delta"] for each in seen if each["choices"]]
    assert deltas == [
        {"role": "assistant", "content": ""}, {"role": "assistant", "content": "Hi "},
    ]  # fmt: skip
    assert seen[-1]["usage"] == {**USAGE, "cost": 0}
    assert {each["model"] for each in seen} == {LOCAL_MODEL_ID}
    assert len({each["id"] for each in seen}) == 1


async def test_what_it_cannot_use_is_left_out_of_the_request(stand: Stand) -> None:
    await stand.ask(temperature=0.2, max_tokens=100_000, provider={"sort": "price"})
    asked = stand.llama.asked
    assert asked["messages"] == [{"role": "user", "content": "Hi"}]
    assert (asked["temperature"], asked["max_tokens"]) == (0.2, 512)
    assert "provider" not in asked


async def test_a_context_that_is_too_long_is_told_as_openrouter_does(stand: Stand) -> None:
    stand.llama.plan = "refuse"
    answer = await stand.ask(stream=True)
    assert answer.status_code == 400
    assert "maximum context length is 4096 tokens" in answer.json()["error"]["message"]


async def test_a_model_that_breaks_off_breaks_the_answer_off(stand: Stand) -> None:
    stand.llama.plan = "break"
    with pytest.raises(httpx.RemoteProtocolError):
        await stand.ask(stream=True)


async def test_a_model_that_is_away_is_a_bad_gateway() -> None:
    async with standing(f"http://127.0.0.1:{free_port()}", Llama()) as stand:
        assert (await stand.ask()).status_code == 502


async def test_a_client_that_goes_ends_the_generation(stand: Stand) -> None:
    stand.llama.plan = "hold"
    async with stand.http.stream("POST", CHAT, json=request(stream=True)) as answer:
        async for _ in answer.aiter_raw():
            break
    with anyio.fail_after(20):
        await stand.llama.gone.wait()


async def test_a_call_without_a_key_is_refused_as_the_vendor_does(stand: Stand) -> None:
    del stand.http.headers["authorization"]
    assert (await stand.ask()).status_code == 401


def is_there(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.skipif(
    local_model.weights() is None, reason="the local model is not installed: make local-model"
)
async def test_the_real_model_generates(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "devstack.local_model", "--port", str(port))
    process = Process(Command("local-model", command, tmp_path / "log", ports=(port,)))
    process.start()
    try:
        await asyncio.to_thread(process.wait_ready, lambda: is_there(f"{url}/health"), 60)
        async with standing(url, Llama()) as stand:
            seen = chunks(await stand.ask(stream=True, max_tokens=5, seed=1))
    finally:
        await asyncio.to_thread(process.stop)
    assert 1 <= seen[-1]["usage"]["completion_tokens"] <= 5
    assert any(each["choices"][0]["delta"]["content"] for each in seen if each["choices"])
