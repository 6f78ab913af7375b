"""The ASGI application: vendors under their paths, each behind its faults, and the switchboard."""

import re
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from devstack.cloud.faults import Fault, Faulty, Switchboard
from devstack.cloud.page import fault_of_form, page
from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.serving import Application

_VENDOR = re.compile(r"^/(?P<name>[a-z-]+)(?P<rest>/.*)$")
_FAULT = re.compile(r"^/faults/(?P<name>[a-z-]+)$")
_HTML = "text/html; charset=utf-8"
# The page needs no script, and nobody may put it into a frame and have it clicked.
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class LocalCloud:
    """All vendors on one port."""

    def __init__(self, vendors: dict[str, tuple[str, Application]]) -> None:
        """`vendors`: title and application by name."""
        self.board = Switchboard({name: title for name, (title, _) in vendors.items()})
        self._vendors = {name: application for name, (_, application) in vendors.items()}
        self._faulty = {
            name: Faulty(name, application, self.board)
            for name, application in self._vendors.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        match = _VENDOR.match(path)
        if match and (name := match["name"]) in self._vendors:
            inner = {**scope, "root_path": f"/{name}"}
            is_control = match["rest"].startswith("/control/")
            chosen = self._vendors[name] if is_control else self._faulty[name]
            await chosen(inner, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        async with exchange:
            try:
                await self._switch(exchange, body)
            except ClientGoneError:
                return

    def close(self) -> None:
        """Let go whoever waits, in front of the vendors and in them."""
        self.board.release()
        for vendor in self._vendors.values():
            vendor.close()

    async def _switch(self, exchange: Exchange, body: bytes) -> None:
        routes: dict[tuple[str, str], Callable[[Exchange, bytes], Awaitable[None]]] = {
            ("GET", "/"): self._page,
            ("POST", "/switchboard"): self._form,
            ("GET", "/faults"): self._list,
            ("DELETE", "/faults"): self._clear,
        }
        route = routes.get((exchange.method, exchange.path))
        match = _FAULT.match(exchange.path)
        if route is not None:
            await route(exchange, body)
        elif match and match["name"] in self._vendors and exchange.method in ("PUT", "DELETE"):
            await self._change(exchange, body, match["name"])
        else:
            await exchange.send_json(404, {"error": "There is nothing at this path."})

    async def _page(self, exchange: Exchange, _: bytes) -> None:
        await self._show(exchange, 200)

    async def _show(self, exchange: Exchange, status: int, mistake: str = "") -> None:
        address = f"http://{exchange.headers.get('host', '')}"
        html = page(list(self.board.vendors.values()), address, mistake)
        await exchange.send(status, html.encode(), _HTML, _PAGE_HEADERS)

    async def _form(self, exchange: Exchange, body: bytes) -> None:
        # Any page on the web can make a browser post here; only ours may.
        origin = exchange.headers.get("origin", "")
        if origin and origin.partition("//")[2] != exchange.headers.get("host"):
            await exchange.send_json(403, {"error": "This form is for the switchboard's own page."})
            return
        try:
            name, fault = fault_of_form(body.decode())
            self.board.set(name, fault)
        except (KeyError, ValueError):
            mistake = "Nothing was changed: a number is missing or out of its range."
            await self._show(exchange, 400, mistake)
            return
        await exchange.send(303, b"", "text/plain", {"location": f"/#{name}"})

    async def _list(self, exchange: Exchange, _: bytes) -> None:
        await exchange.send_json(200, {"vendors": self._state()})

    async def _clear(self, exchange: Exchange, _: bytes) -> None:
        for name in self._vendors:
            self.board.set(name, None)
        await self._list(exchange, b"")

    async def _change(self, exchange: Exchange, body: bytes, name: str) -> None:
        try:
            fault = Fault.model_validate_json(body) if exchange.method == "PUT" else None
        except ValidationError as invalid:
            mistakes = [
                f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()
            ]
            await exchange.send_json(400, {"error": "; ".join(mistakes)})
            return
        self.board.set(name, fault)
        await self._list(exchange, b"")

    def _state(self) -> dict[str, object]:
        return {
            vendor.name: {
                "title": vendor.title,
                "fault": vendor.fault.model_dump(exclude_none=True) if vendor.fault else None,
                "calls": vendor.calls,
                "spoiled": vendor.spoiled,
            }
            for vendor in self.board.vendors.values()
        }
