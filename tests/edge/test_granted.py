"""What a key grants, and acting for a user: within the key's tenant, told with both names."""

from typing import Any

import pytest

from chassis.identity import Caller, key_segments
from devstack.issuer import Issuer
from edge import reasons
from tests.support.edges import EdgeUnderTest, assert_refused
from tests.support.ingress import FakeIngress

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
NEWCOMER = "/api/v1/probe/newcomer"
TENANT: dict[str, Any] = {"tenant_id": "acme", "role": "admin"}


async def test_a_key_never_reaches_restate(edge: EdgeUnderTest, ingress: FakeIngress) -> None:
    assert (await edge.post(ECHO)).status_code == 200
    seen = ingress.seen[0]
    assert edge.alice.key not in f"{seen.line}{seen.headers}{seen.body!r}"
    assert seen.headers["x-key-id"] == edge.alice.key_id
    assert seen.headers["x-user-id"] == "alice"


async def test_a_key_without_the_scope_of_the_route_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    headers = {"x-api-key": edge.ron.key}
    await assert_refused(edge, ingress, headers, reasons.SCOPE_MISSING, "/api/v1/probe/add")


async def test_a_route_for_people_refuses_keys(edge: EdgeUnderTest, ingress: FakeIngress) -> None:
    headers = {"x-api-key": edge.alice.key}
    await assert_refused(
        edge, ingress, headers, reasons.MODE_NOT_ALLOWED, "/api/v1/probe/people-only"
    )


async def test_a_key_with_the_scope_acts_for_a_user_and_both_are_named(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    for _ in range(2):
        answer = await edge.post(ECHO, headers={"x-on-behalf-of": "ns1:dora"})
        assert answer.status_code == 200
    for seen in ingress.seen:
        assert seen.headers["x-user-id"] == "ns1%3Adora"
        assert seen.headers["x-impersonator"] == "alice"
        assert seen.headers["x-tenant-id"] == "acme"
    await edge.post(ECHO)
    assert "x-impersonator" not in ingress.seen[-1].headers


@pytest.mark.parametrize("user", ["carol", "globex/carol", "globex%2Fcarol", "../globex/carol"])
async def test_a_user_of_another_tenant_is_nobody_but_a_name_in_the_keys_own(
    edge: EdgeUnderTest, ingress: FakeIngress, user: str
) -> None:
    assert edge.carol.tenant_id == "globex"
    answer = await edge.post(ECHO, headers={"x-on-behalf-of": user, "x-tenant-id": "globex"})
    assert answer.status_code == 200
    caller = Caller.from_headers(ingress.seen[0].headers)
    assert (caller.tenant_id, caller.user_id) == ("acme", user)
    # The object that belongs to the caller is below the key's tenant, however the user is named.
    assert key_segments(caller.user_key()) == ["acme", user]
    assert caller.user_key().startswith("acme/")


async def test_impersonation_without_the_scope_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    headers = {"x-api-key": edge.ron.key, "x-on-behalf-of": "dora"}
    await assert_refused(edge, ingress, headers, reasons.IMPERSONATION_DENIED)


async def test_impersonation_with_a_token_is_refused_whatever_its_role(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    token = issuer.token(tenant_id="acme", role="owner")
    headers = {"authorization": f"Bearer {token}", "x-on-behalf-of": "dora"}
    await assert_refused(edge, ingress, headers, reasons.IMPERSONATION_DENIED)


@pytest.mark.parametrize("user", ["svc:key_1", "", " ", "a b", "ä".encode(), "u" * 257, b"a\x00b"])
async def test_impersonation_of_anything_but_a_user_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, user: str | bytes
) -> None:
    headers = [("x-api-key", edge.alice.key), ("x-on-behalf-of", user)]
    await assert_refused(edge, ingress, headers, reasons.IMPERSONATION_INVALID)


async def test_impersonation_of_two_users_at_once_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    headers = [("x-api-key", edge.alice.key), ("x-on-behalf-of", "a"), ("x-on-behalf-of", "b")]
    await assert_refused(edge, ingress, headers, reasons.IMPERSONATION_INVALID)
