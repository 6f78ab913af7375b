"""A typed client of the toolbox's control interface, for tests and tools."""

import asyncio
import time
from typing import Any

import httpx

from devstack.toolbox.tools import Called

_LOOK_SECONDS = 0.02


class ToolboxControl:
    """Looks at a running toolbox. `address` is that of the local cloud. Close with `aclose`."""

    def __init__(self, address: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{address}/toolbox/control",
            timeout=60,
            trust_env=False,
            verify=False,  # noqa: S501
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def calls(self, tool: str | None = None) -> list[Called]:
        """Every call that reached a tool since the last reset, in the order of their arrival."""
        answer = (await self._http.get("/calls")).raise_for_status().json()
        calls = [Called.model_validate(call) for call in answer["calls"]]
        return [call for call in calls if tool is None or call.tool == tool]

    async def wait(self, tool: str, count: int = 1, seconds: float = 20) -> list[Called]:
        """Wait until a tool was called so often."""
        deadline = time.monotonic() + seconds
        while len(calls := await self.calls(tool)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{tool} was called {len(calls)} times, not {count}")
            await asyncio.sleep(_LOOK_SECONDS)
        return calls

    async def release(self, gate: str) -> None:
        """Open a gate."""
        await self._post("release", {"gate": gate})

    async def set_schemas(self, schemas: dict[str, Any]) -> None:
        """Replace the input schemas of these tools; an empty one restores all."""
        await self._post("schemas", schemas)

    async def reset(self) -> None:
        """Forget everything and let go whoever waits."""
        await self._post("reset", {})

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        (await self._http.post(f"/{path}", json=body)).raise_for_status()
