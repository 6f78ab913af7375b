"""The rows that are about tools: a turn with one call, and one with sixteen side by side."""

import itertools
import time

from bench.platform import Platform

Figures = dict[str, float]

_number = itertools.count()
# Its model asks for so many calls of a tool that only reads, then answers.
_MODELS = {0: "stub/instant", 1: "stub/tools-1", 16: "stub/tools-16"}


async def tools(platform: Platform, seconds: float) -> Figures:
    """Turns without a call, with one, and with sixteen, each in threads of ten turns."""
    await platform.call(
        "mcp-register-server",
        {
            "server_name": "toolbox",
            "url": f"{platform.model_url}/toolbox/mcp",
            "effect": "READ",
        },
    )
    return {
        f"tools.turn.p50.{calls}": await _turns(platform, calls, model, seconds)
        for calls, model in _MODELS.items()
    }


async def _turns(platform: Platform, calls: int, model: str, seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        key = await platform.thread(f"tools-{next(_number)}", model, tools=bool(calls))
        for _ in range(10):
            began = time.perf_counter()
            await platform.turn(key)
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1000
