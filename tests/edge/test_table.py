"""Every route answers every wrong credential, body and method with exactly the documented refusal,
and that costs Restate nothing."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.edge_server import public_routes
from chassis.message import REQUEST_INVALID, REQUEST_MALFORMED
from chassis.rpc import Mode, Route, Rpc
from devstack.issuer import Issuer
from edge import reasons
from errors import Reason
from tests.support import probe
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.envelopes import envelope_faults
from tests.support.ingress import FakeIngress, fake_ingress

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"

ROUTES: dict[str, Rpc[Any, Any]] = {
    rpc.target: rpc for rpc in [*public_routes(), *probe.registry().routes()]
}


@pytest.fixture(scope="module")
async def ingress(anyio_backend: str) -> AsyncIterator[FakeIngress]:
    async with fake_ingress() as ingress:
        yield ingress


async def _never(_: Any) -> Any:
    raise AssertionError("a refused request reached its handler")


@pytest.fixture(scope="module")
async def edge(issuer: Issuer, ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    routes = list(ROUTES.values())
    local = {rpc: _never for rpc in routes if _route(rpc).served_by_edge}
    async with running_edge(
        ingress, issuer, routes, local, refused_credentials_per_minute=1_000_000
    ) as edge:
        yield edge


def _route(rpc: Rpc[Any, Any]) -> Route:
    assert rpc.route is not None
    return rpc.route


def _wrong(edge: EdgeUnderTest, issuer: Issuer, route: Route) -> dict[str, tuple[Any, Reason]]:
    """Each wrong credential with the refusal that the documents promise for this route."""
    invalid = reasons.CREDENTIALS_INVALID
    stranger = {"authorization": f"Bearer {Issuer(issuer.url).token(tenant_id='acme')}"}
    homeless = {"authorization": f"Bearer {issuer.token(role='owner')}"}
    nobody = {"authorization": f"Bearer {issuer.token(tenant_id='acme', role='none')}"}
    both = {"x-api-key": edge.alice.key, "authorization": homeless["authorization"]}
    cases: dict[str, tuple[Any, Reason]] = {
        "none": ({}, reasons.CREDENTIALS_MISSING),
        "unknown secret key": ({"x-api-key": "sk_unknown"}, invalid),
        "publishable key alone": ({"x-api-key": "pk_some"}, reasons.CREDENTIALS_INCOMPLETE),
        "key of no kind": ({"x-api-key": "some"}, invalid),
        "token of a stranger": (stranger, invalid),
        "two at once": (both, reasons.CREDENTIALS_AMBIGUOUS),
        "expired token": (
            {"authorization": f"Bearer {issuer.token(exp=1, tenant_id='acme')}"},
            reasons.TOKEN_EXPIRED,
        ),
    }
    token_allowed = Mode.FIREBASE in route.modes
    key_allowed = Mode.SECRET_KEY in route.modes
    if not token_allowed:
        cases["token"] = (nobody, reasons.MODE_NOT_ALLOWED)
    else:
        cases["token without the scope"] = (nobody, reasons.SCOPE_MISSING)
    if token_allowed and not route.tenant_free:
        cases["token without a tenant"] = (homeless, reasons.TENANT_MISSING)
    if not key_allowed:
        cases["secret key"] = ({"x-api-key": edge.alice.key}, reasons.MODE_NOT_ALLOWED)
    elif route.scope not in edge.ron.scopes:
        cases["key without the scope"] = ({"x-api-key": edge.ron.key}, reasons.SCOPE_MISSING)
    return cases


@pytest.mark.parametrize("target", ROUTES)
async def test_wrong_credentials_get_the_documented_refusal_and_cost_restate_nothing(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, target: str
) -> None:
    route = _route(ROUTES[target])
    for case, (headers, reason) in _wrong(edge, issuer, route).items():
        for path in (route.path, f"/{target}"):
            error = error_of(await edge.anonymous(path, headers=headers))
            assert (error.code, error.reason) == (reason.code, reason.word), case
    assert ingress.seen == []


WRONG_BODIES: dict[str, tuple[bytes, dict[str, str], Reason]] = {
    "malformed JSON": (b'{"a": wombat}', {}, REQUEST_MALFORMED),
    "nesting of 1,000": (b'{"a":%s}' % (b"[" * 1000 + b"]" * 1000), {}, REQUEST_MALFORMED),
    "invalid UTF-8": (b'{"a": "wombat\xff"}', {}, REQUEST_MALFORMED),
    "lone surrogate": (rb'{"a": "\ud800"}', {}, REQUEST_MALFORMED),
    "NaN": (b'{"a": NaN}', {}, REQUEST_MALFORMED),
    "number of 10,000 digits": (b'{"a": %s}' % (b"7" * 10_000), {}, REQUEST_MALFORMED),
    "byte order mark": (b'\xef\xbb\xbf{"a": "wombat"}', {}, REQUEST_MALFORMED),
    "unknown field": (b'{"a": "wombat"}', {}, REQUEST_INVALID),
    "duplicate key": (b'{"a": "wombat", "a": "wombat"}', {}, REQUEST_INVALID),
    "null body": (b"null", {}, REQUEST_INVALID),
    "array body": (b'["wombat"]', {}, REQUEST_INVALID),
    "form body": (b"a=wombat", {"content-type": FORM}, reasons.MEDIA_TYPE),
    "gzip body": (gzip.compress(b"{}"), {"content-encoding": "gzip"}, reasons.MEDIA_TYPE),
    "2 MiB": (b" " * 2 * 1024 * 1024, {}, reasons.BODY_TOO_LARGE),
}


@pytest.mark.parametrize("target", [rpc.target for rpc in public_routes()])
async def test_a_wrong_body_gets_the_same_refusal_on_every_route_and_costs_restate_nothing(
    edge: EdgeUnderTest, issuer: Issuer, ingress: FakeIngress, target: str
) -> None:
    route = _route(ROUTES[target])
    owner = {"authorization": f"Bearer {issuer.token(tenant_id='acme', role='owner')}"}
    key = {"x-api-key": edge.alice.key}
    credential = owner if Mode.FIREBASE in route.modes else key
    for case, (body, headers, reason) in WRONG_BODIES.items():
        sent = {"content-type": "application/json", **credential, **headers}
        answer = await edge.http.post(route.path, content=body, headers=sent)
        error = error_of(answer)
        assert (error.code, error.reason) == (reason.code, reason.word), case
        assert envelope_faults(answer.status_code, answer.headers, answer.content) == [], case
        assert "wombat" not in answer.text, case
    assert ingress.seen == []


@pytest.mark.parametrize("target", ROUTES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_no_method_but_post_is_served(
    edge: EdgeUnderTest, ingress: FakeIngress, target: str, method: str
) -> None:
    headers = {"x-api-key": edge.alice.key}
    answer = await edge.http.request(method, _route(ROUTES[target]).path, headers=headers)
    assert error_of(answer).reason == reasons.METHOD_NOT_ALLOWED.word
    assert ingress.seen == []


def test_the_table_is_not_empty() -> None:
    assert len(ROUTES) > 20
