"""A model that costs next to nothing to ask: `python -m bench.model --port N`.

`stub/instant` answers at once, in one piece; `stub/ten-seconds` streams a hundred tokens over ten
seconds; `stub/tools-1` and `stub/tools-16` want so many calls of the toolbox, which stands beside
the model at `/toolbox/mcp`, before they answer like the first. The time of the first chunk and of
the client's going are kept for `/times`, by the text of the last user message.
"""

import argparse
import asyncio
import itertools
import json
import time
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from devstack.exchange import Receive, Scope, Send
from devstack.toolbox.app import Toolbox

TEXT = "It takes no time at all to say this, which is the point of it."
TOKENS = 100
TOKEN_SECONDS = 0.1

_numbers = itertools.count()
_toolbox = Toolbox()
_times: dict[str, dict[str, float]] = {}


def _event(**content: Any) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _delta(text: str) -> bytes:
    return _event(id="gen-0", model="stub", choices=[{"index": 0, "delta": {"content": text}}])


_END = (
    _event(id="gen-0", model="stub", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _event(
        id="gen-0",
        model="stub",
        choices=[],
        usage={"prompt_tokens": 10, "completion_tokens": 14, "total_tokens": 24, "cost": 0},
    )
    + b"data: [DONE]\n\n"
)
_INSTANT = _delta(TEXT) + _END
_CALL = {"name": "toolbox__add", "arguments": '{"a": 1, "b": 2}'}
_TOOLS = {f"stub/tools-{count}": count for count in (1, 16)}
_WHOLE = json.dumps(
    {
        "id": "gen-0",
        "model": "stub",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 14, "total_tokens": 24, "cost": 0},
    }
).encode()
_MODELS = json.dumps(
    {"data": [{"id": name, "name": name} for name in ("stub/instant", "stub/ten-seconds", *_TOOLS)]}
).encode()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI."""
    if scope["path"].startswith("/toolbox/"):
        await _toolbox({**scope, "root_path": "/toolbox"}, receive, send)
    elif scope["path"].endswith("/models"):
        await _whole(send, _MODELS)
    elif scope["path"] == "/times":
        await _whole(send, json.dumps(_times).encode())
    else:
        await _chat(receive, send)


async def _chat(receive: Receive, send: Send) -> None:
    raw = b""
    while True:
        message = await receive()
        raw += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = json.loads(raw)
    if not asked.get("stream"):
        await _whole(send, _WHOLE)
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if asked["model"] == "stub/ten-seconds":
        await _slowly(asked["messages"][-1]["content"], receive, send)
    elif asked["model"] in _TOOLS and asked["messages"][-1]["role"] == "user":
        await send({"type": "http.response.body", "body": _asking(_TOOLS[asked["model"]])})
    else:
        await send({"type": "http.response.body", "body": _INSTANT})


def _asking(count: int) -> bytes:
    """An answer that wants so many calls. Their ids are new each time, as a thread needs them."""
    calls = [
        {"index": number, "id": f"call_{next(_numbers)}", "type": "function", "function": _CALL}
        for number in range(count)
    ]
    choice = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}
    return _event(id="gen-0", model="stub", choices=[choice]) + _END


async def _slowly(name: str, receive: Receive, send: Send) -> None:
    times = _times.setdefault(name, {})
    gone = asyncio.create_task(_gone(receive, times))
    try:
        times["first"] = time.time()
        for number in range(TOKENS):
            await send(
                {"type": "http.response.body", "body": _delta(f"{number} "), "more_body": True}
            )
            await asyncio.wait({gone}, timeout=TOKEN_SECONDS)
            if gone.done():
                return
        await send({"type": "http.response.body", "body": _END})
    finally:
        gone.cancel()


async def _gone(receive: Receive, times: dict[str, float]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    times["gone"] = time.time()


async def _whole(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve on loopback until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    Server(
        "bench.model:app",
        port=parser.parse_args().port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        loop=Loops.uvloop,
        log_enabled=False,
        backpressure=10_000,
    ).serve()


if __name__ == "__main__":
    main()
