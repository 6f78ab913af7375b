"""Every public method with every wrong credential: exactly the refusal that is documented.

The methods are those that the edge serves, so a new one is covered by being there. Behind the edge
is an ingress that records what comes: nothing may.
"""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import edge_routes
from app.edge_server import public_routes
from app.generate.examples import EXAMPLES
from chassis import key_text
from chassis.bus import BusClient
from chassis.rpc import Mode, Route, Rpc
from devstack.issuer import Issuer
from devstack.keys import AUDIENCE
from edge import reasons
from errors import Reason
from gateways.llm import contract as llm
from services.api_key.contract import KeyType, Oidc
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.key_store import KeyStore, key_store

pytestmark = pytest.mark.anyio

ROUTES = public_routes()
EVERY_SCOPE = {rpc.route.scope for rpc in ROUTES if rpc.route} | {"users:impersonate"}
ADMINISTRATION = {"keys:read", "keys:write", "orgs:write", "audit:read"}
every_method = pytest.mark.parametrize("rpc", ROUTES, ids=lambda rpc: rpc.target)


@pytest.fixture(scope="module")
async def store(anyio_backend: str) -> AsyncIterator[KeyStore]:
    async with key_store() as store:
        yield store


@pytest.fixture(scope="module")
async def edge(issuer: Issuer, store: KeyStore) -> AsyncIterator[EdgeUnderTest]:
    local = edge_routes.handlers(BusClient(None))
    allowed = {"outgoing_allowed_hosts": ("127.0.0.1",)}
    unlimited = {"refused_credentials_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
    # What was let in is told at the end, not among what is refused.
    later = {"usage_seconds": 3600}
    async with running_edge(store, issuer, ROUTES, local, **allowed, **unlimited, **later) as edge:
        yield edge


def route_of(rpc: Rpc[Any, Any]) -> Route:
    """The route, which every public method has."""
    assert rpc.route is not None
    return rpc.route


class Caller:
    """Calls one method; nothing of what is refused reaches the ingress."""

    def __init__(
        self, edge: EdgeUnderTest, store: KeyStore, issuer: Issuer, rpc: Rpc[Any, Any]
    ) -> None:
        self.edge, self.store, self.issuer = edge, store, issuer
        # The public path, and the one in Restate's own scheme, which KrakenD calls.
        self.paths = (route_of(rpc).path, f"/{rpc.target}")
        # A whole request, so that nothing but the credential is wrong with it.
        self.request = EXAMPLES[rpc].request.to_json()

    def key(self, scopes: set[str], kind: KeyType = KeyType.SECRET, **more: Any) -> str:
        """A new key of the store."""
        key = key_text.new("sk_" if kind is KeyType.SECRET else "pk_")
        oidc = Oidc(issuer=self.issuer.url, audience=AUDIENCE)
        known = {"type": kind, "oidc": oidc, "namespace": "u1", "scopes": sorted(scopes)}
        self.store.put(key, **known, **more)
        return key

    async def refused(
        self, reason: Reason, key: str | None = None, token: str | None = None, **headers: str
    ) -> None:
        """The refusal is this one, by both of the method's paths, and nothing else is done."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        for path in self.paths:
            self.store.seen.clear()
            answer = await self._call(path, self.request, key, token, sent)
            error = error_of(answer)
            assert (error.code, error.reason) == (reason.code, reason.word)
            asked = [seen.line for seen in self.store.seen]
            assert [line for line in asked if "/ApiKeyGrant/" not in line] == []

    async def let_in(self, key: str | None = None, token: str | None = None) -> None:
        """Whatever happens then, it is no matter of who is calling."""
        for path in self.paths:
            answer = await self._call(path, b"{}", key, token, {})
            assert answer.status_code not in (401, 403), answer.text

    async def _call(
        self, path: str, body: bytes, key: str | None, token: str | None, headers: dict[str, str]
    ) -> Any:
        sent = dict(headers)
        if key is not None:
            sent["x-api-key"] = key
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return await self.edge.anonymous(path, body, headers=sent)


@pytest.fixture
def caller(edge: EdgeUnderTest, store: KeyStore, issuer: Issuer, rpc: Rpc[Any, Any]) -> Caller:
    """Calls the method of this case."""
    return Caller(edge, store, issuer, rpc)


@every_method
async def test_without_a_valid_credential_no_method_does_anything(
    caller: Caller, rpc: Rpc[Any, Any]
) -> None:
    issuer, everything = caller.issuer, EVERY_SCOPE
    secret = caller.key(everything)
    publishable = caller.key(everything, KeyType.PUBLISHABLE)
    token = issuer.token(tenant_id="acme", role="owner")
    await caller.refused(reasons.CREDENTIALS_MISSING)
    for wrong in ("", "sk_", "sk_unknown", secret[:-1], key_text.new("sk_"), "rk_" + secret[3:]):
        await caller.refused(reasons.CREDENTIALS_INVALID, wrong)
    await caller.refused(reasons.KEY_REVOKED, caller.key(everything, revoked=True))
    await caller.refused(reasons.CREDENTIALS_INCOMPLETE, publishable)
    await caller.refused(reasons.CREDENTIALS_AMBIGUOUS, secret, token)
    await caller.refused(reasons.CREDENTIALS_INVALID, key_text.new("pk_"), token)
    stranger = Issuer(issuer.url).token({"kid": issuer.key.kid}, tenant_id="acme", role="owner")
    for wrong in ("x", stranger, token[:-8] + "AAAAAAAA", issuer.token(aud="other")):
        await caller.refused(reasons.CREDENTIALS_INVALID, None, wrong)
        await caller.refused(reasons.CREDENTIALS_INVALID, publishable, wrong)
    late = issuer.token(tenant_id="acme", role="owner", exp=int(time.time()) - 60)
    await caller.refused(reasons.TOKEN_EXPIRED, None, late)


@every_method
async def test_a_key_needs_the_scope_of_the_method_and_a_method_that_takes_keys(
    caller: Caller, rpc: Rpc[Any, Any]
) -> None:
    route, token = route_of(rpc), caller.issuer.token()
    kinds = (
        (Mode.SECRET_KEY, KeyType.SECRET, None),
        (Mode.PUBLISHABLE_KEY, KeyType.PUBLISHABLE, token),
    )
    for mode, kind, user in kinds:
        whole = caller.key(EVERY_SCOPE, kind)
        if mode not in route.modes:
            await caller.refused(reasons.MODE_NOT_ALLOWED, whole, user)
            continue
        lacking = caller.key(EVERY_SCOPE - {route.scope}, kind)
        await caller.refused(reasons.SCOPE_MISSING, lacking, user)
        await caller.let_in(caller.key({route.scope}, kind), user)


@every_method
async def test_a_token_needs_a_tenant_and_a_role_that_has_the_scope(
    caller: Caller, rpc: Rpc[Any, Any]
) -> None:
    route, issuer = route_of(rpc), caller.issuer
    if Mode.FIREBASE not in route.modes:
        token = issuer.token(tenant_id="acme", role="owner")
        await caller.refused(reasons.MODE_NOT_ALLOWED, None, token)
        return
    for tenant in ({}, {"tenant_id": ""}, {"tenant_id": ["acme"]}, {"tenant_id": 7}):
        homeless = issuer.token(role="owner", **tenant)
        if route.tenant_free:
            await caller.let_in(None, homeless)
        else:
            await caller.refused(reasons.TENANT_MISSING, None, homeless)
    for role in ("", "root", "OWNER", "owner,admin"):
        await caller.refused(reasons.SCOPE_MISSING, None, issuer.token(tenant_id="acme", role=role))
    for role in ("owner", "admin"):
        await caller.let_in(None, issuer.token(tenant_id="acme", role=role))
    member = issuer.token(tenant_id="acme", role="member")
    if route.scope.endswith(":manage") or route.scope in ADMINISTRATION:
        await caller.refused(reasons.SCOPE_MISSING, None, member)
    else:
        await caller.let_in(None, member)


@every_method
async def test_nobody_acts_for_another_without_a_secret_key_that_may(
    caller: Caller, rpc: Rpc[Any, Any]
) -> None:
    behalf = {"x_on_behalf_of": "u1:other"}
    denied = reasons.IMPERSONATION_DENIED
    await caller.refused(denied, caller.key(EVERY_SCOPE - {"users:impersonate"}), **behalf)
    await caller.refused(
        denied, caller.key(EVERY_SCOPE, KeyType.PUBLISHABLE), caller.issuer.token(), **behalf
    )
    token = caller.issuer.token(tenant_id="acme", role="owner")
    await caller.refused(denied, None, token, **behalf)
    service = {"x_on_behalf_of": "svc:key_1"}
    await caller.refused(reasons.IMPERSONATION_INVALID, caller.key(EVERY_SCOPE), **service)


async def test_what_is_let_in_is_seen_at_the_ingress(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    caller = Caller(edge, store, issuer, llm.list_threads)
    store.seen.clear()
    await caller.let_in(caller.key({route_of(llm.list_threads).scope}))
    calls = [seen.line for seen in store.seen if llm.list_threads.target in seen.line]
    assert len(calls) == len(caller.paths)
