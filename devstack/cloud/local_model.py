"""The local model as OpenRouter would offer it: llama.cpp's answers in the vendor's shape.

Everything that does not name the local model goes to the scripted double. Differences that are
evened out: ids and the provider's name, usage with a cost (0), errors as OpenRouter words them. A
client that goes ends the call of llama.cpp, which stops generating then.
"""

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.keys import LOCAL_MODEL_ID
from devstack.local_model import CONTEXT_TOKENS
from devstack.openrouter.app import OpenRouterDouble
from devstack.openrouter.models import row

LOCAL_MODEL_ROW = row(
    LOCAL_MODEL_ID,
    "SmolLM2 135M Instruct (on this machine)",
    CONTEXT_TOKENS,
    description="A real and very small model, run by llama.cpp.",
)
CHAT = "/api/v1/chat/completions"
_PASSED_ON = ("temperature", "top_p", "max_tokens", "stop", "seed", "response_format")
_LONGEST_ANSWER = 512
_OBJECT = TypeAdapter(dict[str, Any])


class LocalModel:
    """An ASGI application in front of the double."""

    def __init__(self, double: OpenRouterDouble, model_url: str) -> None:
        """`model_url`: where llama.cpp listens, without a path."""
        self._double = double
        # No pool: the server closes idle connections at a moment when we may just use them.
        self._http = httpx.AsyncClient(
            base_url=model_url,
            timeout=httpx.Timeout(None, connect=5),
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].endswith(CHAT):
            await self._double(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        request = _parse(body)
        if request.get("model") != LOCAL_MODEL_ID or not exchange.headers.get("authorization"):
            await self._double(scope, _again(body, receive), send)
            return
        async with exchange:
            try:
                await exchange.unless_gone(self._answer(exchange, request))
            except ClientGoneError:
                return

    def close(self) -> None:
        """Let go whoever holds at a gate of the double."""
        self._double.close()

    async def _answer(self, exchange: Exchange, request: dict[str, Any]) -> None:
        generation = f"gen-{secrets.token_hex(10)}"
        wanted = self._http.stream("POST", "/v1/chat/completions", json=_llama_request(request))
        try:
            async with wanted as answer:
                if answer.is_error:
                    error = _vendor_error(answer.status_code, await answer.aread())
                    await exchange.send_json(answer.status_code, error)
                elif request.get("stream"):
                    await _stream(exchange, answer.aiter_lines(), generation)
                else:
                    whole = _OBJECT.validate_json(await answer.aread())
                    await exchange.send_json(200, _vendor_shape(whole, generation))
        except httpx.HTTPError:
            # In the middle of a stream nothing more is said, which breaks the connection.
            if not exchange.started:
                error = {"code": 502, "message": "The local model does not answer"}
                await exchange.send_json(502, {"error": error})


async def _stream(exchange: Exchange, lines: AsyncIterator[str], generation: str) -> None:
    headers = {"content-type": "text/event-stream", "x-generation-id": generation}
    await exchange.start(200, headers)
    async for line in lines:
        said = line.removeprefix("data: ")
        if line.startswith("data: ") and said != "[DONE]":
            chunk = _vendor_shape(_OBJECT.validate_json(said), generation)
            said = json.dumps(chunk, ensure_ascii=False)
        if said:
            await exchange.write(f"data: {said}\n\n".encode())
    await exchange.end()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(body)
    except ValidationError:
        return {}


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` whose first message is the body that was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return messages.pop() if messages else await receive()

    return replay


def _llama_request(request: dict[str, Any]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = request.get("messages") or []
    passed = {name: request[name] for name in _PASSED_ON if request.get(name) is not None}
    asked = passed.get("max_tokens") or _LONGEST_ANSWER
    return {
        **passed,
        "max_tokens": min(asked, _LONGEST_ANSWER),
        "messages": [_flat(message) for message in messages],
        "stream": bool(request.get("stream")),
        "stream_options": {"include_usage": True},
    }


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """The message as text: this model sees no images."""
    content = message.get("content")
    if isinstance(content, list):
        parts = TypeAdapter(list[dict[str, Any]]).validate_python(content)
        content = "".join(part.get("text", "") for part in parts)
    return {"role": message.get("role"), "content": content or ""}


def _vendor_shape(answer: dict[str, Any], generation: str) -> dict[str, Any]:
    """A whole answer or a chunk of one, as OpenRouter would send it."""
    choices: list[dict[str, Any]] = answer.get("choices") or []
    for choice in choices:
        choice["native_finish_reason"] = choice.get("finish_reason")
        if "delta" in choice:
            choice["delta"] = {"role": "assistant", "content": "", **_present(choice["delta"])}
    shaped = {
        "id": generation,
        "object": answer.get("object"),
        "created": answer.get("created"),
        "model": LOCAL_MODEL_ID,
        "provider": "llama.cpp",
        "choices": choices,
    }
    usage = answer.get("usage")
    return shaped if usage is None else {**shaped, "usage": {**usage, "cost": 0}}


def _present(delta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in delta.items() if value is not None}


def _vendor_error(status: int, body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = _parse(body).get("error") or {}
    message = str(error.get("message", "The local model refused"))
    if error.get("type") == "exceed_context_size_error":
        message = (
            f"This endpoint's maximum context length is {error.get('n_ctx')} tokens. However, you "
            f"requested about {error.get('n_prompt_tokens')} tokens. Please reduce the length of "
            "either one."
        )
    return {"error": {"code": status, "message": message}}
