"""Restate's admin API, as far as erasing needs it; usable from any shell."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from services.erasure.contract import UNREACHABLE

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Trace:
    """An invocation that Restate knows of. `status` is Restate's word: scheduled, running, ..."""

    id: str
    component: str
    status: str


def open_http(url: str) -> httpx.AsyncClient:
    """The HTTP client for one process; the caller closes it."""
    return httpx.AsyncClient(base_url=url.rstrip("/"), timeout=10, trust_env=False)


class RestateAdmin:
    """Finds invocations and ends them. `http` is the caller's, who also closes it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def traces(self, component: str, key: str) -> list[Trace]:
        """Invocations of an object and those that it started, up to a thousand.

        Raises erasure.unreachable.
        """
        sql = (  # the admin API takes no parameters; `_text` quotes what is put in
            "SELECT id, target_service_name, status FROM sys_invocation"  # noqa: S608
            f" WHERE (target_service_name = {_text(component)}"
            f" AND target_service_key = {_text(key)})"
            f" OR starts_with(invoked_by_target, {_text(f'{component}/{key}/')}) LIMIT {_PAGE}"
        )
        answer = await self._call("POST", "/query", json={"query": sql})
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return [Trace(row["id"], row["target_service_name"], row["status"]) for row in rows]

    async def purge(self, trace: Trace) -> bool:
        """Erase a finished invocation; False where there is none."""
        return await self._end(trace, "purge")

    async def kill(self, trace: Trace) -> bool:
        """End an invocation at once; False where there is none that could be ended."""
        return await self._end(trace, "kill")

    async def _end(self, trace: Trace, verb: str) -> bool:
        path = f"/invocations/{quote(trace.id, safe='')}/{verb}"
        return (await self._call("PATCH", path)).is_success

    async def _call(self, method: str, path: str, json: object = None) -> httpx.Response:
        try:
            answer = await self._http.request(
                method, path, json=json, headers={"accept": "application/json"}
            )
        except httpx.HTTPError:
            raise UNREACHABLE.error() from None
        # 404 and 409 say that an invocation has gone, or has ended, meanwhile.
        if answer.is_success or answer.status_code in (404, 409):
            return answer
        raise UNREACHABLE.error()


def _text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
