"""The ASGI application: the vendor's two paths and the control interface."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.openrouter.chat import answer_chat
from devstack.openrouter.messages import Defaults, ModelList, Rule, Wait
from devstack.openrouter.state import State

_OBJECT = TypeAdapter(dict[str, Any])


class OpenRouterDouble:
    """An ASGI application with a state of its own; serve it over HTTP/1.1."""

    def __init__(self, more_models: Sequence[dict[str, Any]] = ()) -> None:
        """`more_models`: rows of the model list beside the usual ones."""
        self.state = State(more_models)
        self._routes: dict[tuple[str, str], Callable[[Exchange, bytes], Awaitable[None]]] = {
            ("POST", "/api/v1/chat/completions"): self._chat,
            ("GET", "/api/v1/models"): self._models,
            ("POST", "/control/script"): self._script,
            ("POST", "/control/release"): self._release,
            ("POST", "/control/reset"): self._reset,
            ("POST", "/control/defaults"): self._defaults,
            ("POST", "/control/models"): self._set_models,
            ("POST", "/control/wait"): self._wait,
            ("GET", "/control/calls"): self._calls,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body()
        async with exchange:
            route = self._routes.get((exchange.method, exchange.path))
            try:
                if route is None:
                    await self._fail(exchange, 404, "Not Found")
                else:
                    await route(exchange, body)
            except ValidationError as invalid:
                await self._fail(exchange, 400, str(invalid))
            except ClientGoneError:
                pass

    def close(self) -> None:
        """Let go whoever holds at a gate, and forget."""
        self.state.reset()

    async def _chat(self, exchange: Exchange, body: bytes) -> None:
        if await self._is_refused(exchange):
            return
        await answer_chat(self.state, exchange, _OBJECT.validate_json(body))

    async def _models(self, exchange: Exchange, _: bytes) -> None:
        if await self._is_refused(exchange):
            return
        self.state.model_lists += 1
        self.state.changed()
        status = self.state.model_list.status
        if status is not None:
            await self._fail(exchange, status, "The model list is not available")
        else:
            await exchange.send_json(200, {"data": self.state.models()})

    async def _is_refused(self, exchange: Exchange) -> bool:
        key = exchange.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key:
            await self._fail(exchange, 401, "No auth credentials found")
        elif key == "invalid":
            await self._fail(exchange, 401, f"User not found for key {key}")
        return not key or key == "invalid"

    async def _script(self, exchange: Exchange, body: bytes) -> None:
        self.state.add_rule(Rule.model_validate_json(body))
        await exchange.send_json(200, {})

    async def _release(self, exchange: Exchange, body: bytes) -> None:
        self.state.gate(str(json.loads(body)["gate"])).set()
        await exchange.send_json(200, {})

    async def _reset(self, exchange: Exchange, _: bytes) -> None:
        self.state.reset()
        await exchange.send_json(200, {})

    async def _defaults(self, exchange: Exchange, body: bytes) -> None:
        self.state.defaults = Defaults.model_validate_json(body)
        await exchange.send_json(200, {})

    async def _set_models(self, exchange: Exchange, body: bytes) -> None:
        self.state.model_list = ModelList.model_validate_json(body)
        await exchange.send_json(200, {})

    async def _wait(self, exchange: Exchange, body: bytes) -> None:
        met = await self.state.wait(Wait.model_validate_json(body))
        found = self.state.snapshot().model_dump(mode="json")
        await exchange.send_json(200 if met else 408, found)

    async def _calls(self, exchange: Exchange, _: bytes) -> None:
        await exchange.send_json(200, self.state.snapshot().model_dump(mode="json"))

    async def _fail(self, exchange: Exchange, status: int, message: str) -> None:
        await exchange.send_json(status, {"error": {"code": status, "message": message}})
