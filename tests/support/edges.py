"""An edge inside the test, in front of a fake ingress, with keys and tokens to call it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import HttpUrl

from chassis.rpc import Rpc
from devstack.issuer import AUDIENCE, Issuer
from devstack.keys import MEMBER_SCOPES, SecretKey
from edge.app import Edge
from edge.settings import EdgeSettings, SecretKeySetting
from errors import Reason, RpcError
from errors.wire import from_envelope
from tests.support import probe
from tests.support.ingress import FakeIngress

_JSON = [(b"content-type", b"application/json")]

ALL_SCOPES = (*MEMBER_SCOPES, "users:impersonate")


class EdgeUnderTest:
    """An edge with its clients: Alice may impersonate, Ron may only read."""

    def __init__(self, edge: Edge, http: httpx.AsyncClient, keys: dict[str, SecretKey]) -> None:
        self.edge = edge
        self.http = http
        self.alice = keys["alice"]
        self.carol = keys["carol"]
        self.ron = keys["ron"]

    async def post(
        self,
        path: str,
        body: Any = None,
        *,
        key: SecretKey | None = None,
        headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]] = (),
    ) -> httpx.Response:
        """POST as Alice, or with a key; `anonymous` calls without one."""
        sent: list[tuple[str, str | bytes]] = [("x-api-key", (key or self.alice).key)]
        return await self.anonymous(path, body, headers=[*sent, *_pairs(headers)])

    async def anonymous(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]] = (),
    ) -> httpx.Response:
        """POST with no credential but what `headers` holds."""
        raw = [(name.encode(), _bytes(value)) for name, value in _pairs(headers)]
        if isinstance(body, bytes):
            return await self.http.post(path, content=body, headers=[*_JSON, *raw])
        return await self.http.post(path, json={} if body is None else body, headers=raw)

    async def with_token(
        self, path: str, token: str, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POST with a token."""
        sent = {"authorization": f"Bearer {token}", **(headers or {})}
        return await self.anonymous(path, headers=sent)


def error_of(answer: httpx.Response) -> RpcError:
    """The error in an answer; its shape is checked on the way."""
    envelope = answer.json()
    assert set(envelope) == {"error"}
    assert set(envelope["error"]) == {"code", "message", "isTerminal", "details"}
    details = envelope["error"]["details"]
    assert details["requestId"] == answer.headers["x-request-id"]
    assert details["outcome"] in ("NOT_STARTED", "UNKNOWN", "COMPLETED")
    error = from_envelope(envelope)
    assert answer.status_code == error.code.http_status
    return error


def outcome_of(answer: httpx.Response) -> str:
    """What the error says about the work."""
    return answer.json()["error"]["details"]["outcome"]


@asynccontextmanager
async def running_edge(
    ingress: FakeIngress | None = None,
    issuer: Issuer | None = None,
    routes: Sequence[Rpc[Any, Any]] | None = None,
    local: Mapping[Rpc[Any, Any], Any] | None = None,
    **settings: Any,
) -> AsyncGenerator[EdgeUnderTest]:
    """An edge over the probe's routes, or over others."""
    keys = {
        "alice": SecretKey(tenant_id="acme", user_id="alice", scopes=ALL_SCOPES),
        "carol": SecretKey(tenant_id="globex", user_id="carol"),
        "ron": SecretKey(tenant_id="acme", user_id="ron", scopes=("conversations:read",)),
    }
    if issuer is not None:
        settings |= {
            "jwt_issuer": issuer.url,
            "jwt_audience": AUDIENCE,
            "jwt_jwks_uri": HttpUrl(issuer.jwks_uri),
        }
    listed = tuple(SecretKeySetting(**key.setting()) for key in keys.values())
    settings = {"secret_keys": listed, **settings}
    if ingress is not None:
        settings["restate_ingress_url"] = HttpUrl(ingress.url)
    edge = Edge(
        EdgeSettings(**settings),
        probe.registry().routes() if routes is None else routes,
        probe.LOCAL if local is None else local,
    )
    await edge.start()
    transport = httpx.ASGITransport(app=edge)  # pyright: ignore[reportArgumentType]  # looser there
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
            yield EdgeUnderTest(edge, http, keys)
    finally:
        await edge.stop()


def _pairs(
    headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]],
) -> list[tuple[str, str | bytes]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def assert_refused(
    edge: EdgeUnderTest,
    ingress: FakeIngress,
    headers: Any,
    reason: Reason,
    path: str = "/api/v1/probe/echo",
) -> None:
    """Assert that a call is refused for this reason, before Restate hears of it."""
    answer = await edge.anonymous(path, headers=headers)
    error = error_of(answer)
    assert (error.code, error.reason) == (reason.code, reason.word)
    assert outcome_of(answer) == "NOT_STARTED"
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    assert ingress.seen == []
