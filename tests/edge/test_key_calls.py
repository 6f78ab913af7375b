"""What the edge asks of Restate when somebody revokes a key: one call, which says who asked."""

from collections.abc import AsyncIterator

import pytest

from app import edge_routes
from app.edge_server import public_routes
from chassis.bus import BusClient
from chassis.identity import Caller
from devstack.issuer import Issuer
from gateways.auth.contract.api_keys import ApiKeyResponse
from services.api_key import contract as api_key
from services.api_key.contract import ApiKey, KeyResponse, KeyStatus, RevokeRequest
from tests.support.edges import EdgeUnderTest, running_edge
from tests.support.ingress import FakeIngress, response

pytestmark = pytest.mark.anyio

REVOKE = "/api/v1/api-keys/revoke"
REVOKED = ApiKey(key_id="key_1", name="Server", status=KeyStatus.REVOKED)


@pytest.fixture
async def edge(issuer: Issuer, ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    local = edge_routes.handlers(BusClient(None))
    ingress.answers(response(body=KeyResponse(api_key=REVOKED).to_json()))
    async with running_edge(ingress, issuer, public_routes(), local) as edge:
        yield edge


async def test_a_revocation_is_one_call_that_names_tenant_key_and_who_asked(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    token = issuer.token(sub="olga", email="olga@acme.example", tenant_id="acme", role="admin")
    headers = {"authorization": f"Bearer {token}", "user-agent": "dashboard/1.0"}
    answer = await edge.anonymous(REVOKE, {"keyId": "key_1"}, headers=headers)
    assert answer.status_code == 200
    assert answer.content == ApiKeyResponse(result=REVOKED).to_json()
    (seen,) = ingress.seen
    assert seen.line.split()[1] == f"/{api_key.revoke.target}"
    asked = RevokeRequest.from_json(seen.body)
    assert (asked.tenant_id, asked.key_id, asked.revoked_by) == ("acme", "key_1", "olga")
    assert not asked.leaked
    assert asked.by is not None
    assert (asked.by.user_id, asked.by.email) == ("olga", "olga@acme.example")
    assert (asked.by.address, asked.by.user_agent) == ("127.0.0.1", "dashboard/1.0")
    assert asked.by.request_id == answer.headers["x-request-id"]
    caller = Caller.from_headers(seen.headers)
    assert (caller.tenant_id, caller.user_id) == ("acme", "olga")
    assert token not in f"{seen.headers}{seen.body!r}"


async def test_nobody_revokes_a_key_of_a_tenant_that_they_name_themselves(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    token = issuer.token(sub="mallory", tenant_id="globex", role="owner")
    headers = {"authorization": f"Bearer {token}", "x-tenant-id": "acme"}
    await edge.anonymous(REVOKE, {"keyId": "key_1"}, headers=headers)
    (seen,) = ingress.seen
    assert RevokeRequest.from_json(seen.body).tenant_id == "globex"
    named = await edge.anonymous(REVOKE, {"keyId": "key_1", "tenantId": "acme"}, headers=headers)
    assert named.status_code == 400
    assert len(ingress.seen) == 1
