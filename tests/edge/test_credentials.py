"""Whoever cannot prove who they are is told 401, whoever may not is told 403, and Restate hears
of neither."""

import asyncio
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from jwt.utils import base64url_encode

from chassis import key_text
from devstack.issuer import Issuer, serving
from edge import reasons
from errors import Reason
from tests.support.edges import EdgeUnderTest, assert_refused, error_of, running_edge
from tests.support.ingress import FakeIngress

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
NEWCOMER = "/api/v1/probe/newcomer"
TENANT: dict[str, Any] = {"tenant_id": "acme", "role": "admin"}


MALFORMED: dict[str, tuple[list[tuple[str, str | bytes]], Reason]] = {
    "none": ([], reasons.CREDENTIALS_MISSING),
    "empty_key": ([("x-api-key", "")], reasons.CREDENTIALS_INVALID),
    "unknown_key": ([("x-api-key", "sk_unknown")], reasons.CREDENTIALS_INVALID),
    "key_without_prefix": ([("x-api-key", "unknown")], reasons.CREDENTIALS_INVALID),
    "key_of_100_kb": ([("x-api-key", "sk_" + "a" * 100_000)], reasons.CREDENTIALS_INVALID),
    "key_of_spaces": ([("x-api-key", "   ")], reasons.CREDENTIALS_INVALID),
    "key_with_a_space_inside": ([("x-api-key", "sk_a b")], reasons.CREDENTIALS_INVALID),
    "key_with_a_tab_inside": ([("x-api-key", "sk_a\tb")], reasons.CREDENTIALS_INVALID),
    "key_in_quotes": ([("x-api-key", '"sk_a"')], reasons.CREDENTIALS_INVALID),
    "key_in_upper_case": ([("x-api-key", "SK_A")], reasons.CREDENTIALS_INVALID),
    "two_keys_in_one_header": ([("x-api-key", "sk_a, sk_b")], reasons.CREDENTIALS_INVALID),
    "key_as_bearer": ([("authorization", "Bearer sk_a")], reasons.CREDENTIALS_INVALID),
    "publishable_as_bearer": ([("authorization", "Bearer pk_a")], reasons.CREDENTIALS_INVALID),
    "token_as_key": ([("x-api-key", "eyJhbGciOiJub25lIn0.e30.")], reasons.CREDENTIALS_INVALID),
    "invitation_as_key": (
        [("x-api-key", key_text.new(key_text.INVITATION))],
        reasons.CREDENTIALS_INVALID,
    ),
    "key_not_ascii": ([("x-api-key", "sk_ä".encode())], reasons.CREDENTIALS_INVALID),
    "key_not_utf8": ([("x-api-key", b"sk_\xff\xfe")], reasons.CREDENTIALS_INVALID),
    "publishable_alone": ([("x-api-key", "pk_x")], reasons.CREDENTIALS_INCOMPLETE),
    "publishable_unknown": (
        [("x-api-key", "pk_x"), ("authorization", "Bearer x")],
        reasons.CREDENTIALS_INVALID,
    ),
    "key_twice": (
        [("x-api-key", "sk_a"), ("x-api-key", "sk_b")],
        reasons.CREDENTIALS_AMBIGUOUS,
    ),
    "token_twice": (
        [("authorization", "Bearer a"), ("authorization", "Bearer b")],
        reasons.CREDENTIALS_AMBIGUOUS,
    ),
    "secret_key_and_token": (
        [("x-api-key", "sk_a"), ("authorization", "Bearer b")],
        reasons.CREDENTIALS_AMBIGUOUS,
    ),
    "basic": ([("authorization", "Basic dTpw")], reasons.CREDENTIALS_INVALID),
    "bearer_alone": ([("authorization", "Bearer")], reasons.CREDENTIALS_INVALID),
    "bearer_with_a_tab": ([("authorization", "Bearer\tabc")], reasons.CREDENTIALS_INVALID),
    "bearer_twice_in_one_header": (
        [("authorization", "Bearer a.b.c, Bearer d.e.f")],
        reasons.CREDENTIALS_INVALID,
    ),
    "bearer_without_token": ([("authorization", "Bearer ")], reasons.CREDENTIALS_INVALID),
    "bearer_with_two_tokens": ([("authorization", "Bearer a b")], reasons.CREDENTIALS_INVALID),
    "token_that_is_no_jwt": ([("authorization", "Bearer abc")], reasons.CREDENTIALS_INVALID),
    "token_of_dots": ([("authorization", "Bearer ...")], reasons.CREDENTIALS_INVALID),
    "token_of_100_kb": (
        [("authorization", "Bearer " + "a." * 50_000)],
        reasons.CREDENTIALS_INVALID,
    ),
    "token_not_ascii": ([("authorization", "Bearer ä".encode())], reasons.CREDENTIALS_INVALID),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_credential_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, case: str
) -> None:
    headers, reason = MALFORMED[case]
    await assert_refused(edge, ingress, headers, reason)


async def test_a_valid_key_sent_twice_is_refused(edge: EdgeUnderTest, ingress: FakeIngress) -> None:
    key = ("x-api-key", edge.alice.key)
    await assert_refused(edge, ingress, [key, key], reasons.CREDENTIALS_AMBIGUOUS)


DISGUISES: dict[str, Callable[[str, str], tuple[str, str | bytes]]] = {
    "key_after_a_space": lambda key, _: ("x-api-key", f" {key}"),
    "key_before_a_space": lambda key, _: ("x-api-key", f"{key} "),
    "key_before_a_tab": lambda key, _: ("x-api-key", f"{key}\t"),
    "key_before_a_no_break_space": lambda key, _: ("x-api-key", f"{key}\u00a0".encode()),
    "key_before_a_zero_byte": lambda key, _: ("x-api-key", f"{key}\x00"),
    "key_before_a_line_break": lambda key, _: ("x-api-key", f"{key}\n"),
    "key_in_quotes": lambda key, _: ("x-api-key", f'"{key}"'),
    "key_in_upper_case": lambda key, _: ("x-api-key", key.upper()),
    "key_before_a_comma": lambda key, _: ("x-api-key", f"{key},"),
    "key_twice_in_one_header": lambda key, _: ("x-api-key", f"{key}, {key}"),
    "key_with_a_scheme": lambda key, _: ("x-api-key", f"Bearer {key}"),
    "key_as_bearer": lambda key, _: ("authorization", f"Bearer {key}"),
    "key_as_basic": lambda key, _: ("authorization", f"Basic {key}"),
    "token_without_a_scheme": lambda _, token: ("authorization", token),
    "token_with_another_scheme": lambda _, token: ("authorization", f"Token {token}"),
    "token_after_two_spaces": lambda _, token: ("authorization", f"Bearer  {token}"),
    "token_after_a_tab": lambda _, token: ("authorization", f"Bearer\t{token}"),
    "token_before_a_space": lambda _, token: ("authorization", f"Bearer {token} "),
    "token_in_quotes": lambda _, token: ("authorization", f'Bearer "{token}"'),
    "token_before_a_comma": lambda _, token: ("authorization", f"Bearer {token},"),
    "token_twice_in_one_header": lambda _, token: (
        "authorization", f"Bearer {token}, Bearer {token}",
    ),
    "token_with_a_fourth_part": lambda _, token: ("authorization", f"Bearer {token}.e30"),
    "token_as_key": lambda _, token: ("x-api-key", token),
    "token_as_secret_key": lambda _, token: ("x-api-key", f"sk_{token}"),
}  # fmt: skip


@pytest.mark.parametrize("case", DISGUISES)
async def test_a_valid_credential_counts_in_its_own_form_only(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer, case: str
) -> None:
    name, value = DISGUISES[case](edge.alice.key, issuer.token(**TENANT))
    await assert_refused(edge, ingress, [(name, value)], reasons.CREDENTIALS_INVALID)


async def test_two_valid_credentials_of_different_tenants_are_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    tokens = [issuer.token(tenant_id=tenant, role="admin") for tenant in ("acme", "globex")]
    keys = [("x-api-key", each.key) for each in (edge.alice, edge.carol)]
    bearers = [("authorization", f"Bearer {token}") for token in tokens]
    for headers in (keys, bearers, [keys[0], bearers[1]], [bearers[0], keys[1]]):
        for order in (headers, headers[::-1]):
            await assert_refused(edge, ingress, order, reasons.CREDENTIALS_AMBIGUOUS)


def _unsigned(issuer: Issuer) -> str:
    return jwt.encode(
        issuer.claims(**TENANT), "", algorithm="none", headers={"kid": issuer.key.kid}
    )


def _signed_with_the_public_key(issuer: Issuer) -> str:
    # The public key as text is the secret that a verifier confused about algorithms would use.
    public = issuer.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64url_encode(b'{"alg":"HS256","typ":"JWT","kid":"%s"}' % issuer.key.kid.encode())
    body = issuer.token(**TENANT).split(".")[1].encode()
    signature = base64url_encode(hmac.digest(public, head + b"." + body, "sha256"))
    return b".".join((head, body, signature)).decode()


def _tampered(issuer: Issuer) -> str:
    head, _, signature = issuer.token(**TENANT).split(".")
    body = issuer.token(tenant_id="globex", role="owner").split(".")[1]
    return f"{head}.{body}.{signature}"


def _of_another_key(issuer: Issuer) -> str:
    stranger = Issuer(issuer.url)
    return stranger.token({"kid": issuer.key.kid}, **TENANT)


def _with_head(issuer: Issuer, **changes: Any) -> str:
    # Well signed, so that the header is all that is wrong with it.
    head = {"alg": "RS256", "typ": "JWT", "kid": issuer.key.kid, **changes}
    named = {name: value for name, value in head.items() if value is not None}
    body = issuer.token(**TENANT).split(".")[1].encode()
    signed = base64url_encode(json.dumps(named).encode()) + b"." + body
    signature = issuer.key.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return b".".join((signed, base64url_encode(signature))).decode()


def _now() -> int:
    return int(time.time())


WRONG_TOKENS: dict[str, tuple[Callable[[Issuer], str], Reason | None]] = {
    "expired": (lambda i: i.token(exp=_now() - 31, **TENANT), reasons.TOKEN_EXPIRED),
    "not_yet_valid": (lambda i: i.token(nbf=_now() + 60, **TENANT), None),
    "issued_in_the_future": (lambda i: i.token(iat=_now() + 600, **TENANT), None),
    "wrong_issuer": (lambda i: i.token(iss="https://elsewhere.example", **TENANT), None),
    "wrong_audience": (lambda i: i.token(aud="another", **TENANT), None),
    "no_expiry": (lambda i: i.token(exp=None, **TENANT), None),
    "expiry_of_the_wrong_type": (lambda i: i.token(exp="soon", **TENANT), None),
    "no_audience": (lambda i: i.token(aud=None, **TENANT), None),
    "audience_list_that_is_empty": (lambda i: i.token(aud=[], **TENANT), None),
    "audience_list_with_a_number": (lambda i: i.token(aud=["yocaso-dev", 7], **TENANT), None),
    "audience_of_the_wrong_type": (lambda i: i.token(aud={"yocaso-dev": 1}, **TENANT), None),
    "audience_with_more_to_it": (lambda i: i.token(aud="yocaso-dev,another", **TENANT), None),
    "no_subject": (lambda i: i.token(sub=None, **TENANT), None),
    "empty_subject": (lambda i: i.token(sub="", **TENANT), None),
    "subject_with_a_namespace": (lambda i: i.token(sub="ns1:user", **TENANT), None),
    "subject_with_a_line_break": (lambda i: i.token(sub="user\r\nx: y", **TENANT), None),
    "subject_too_long": (lambda i: i.token(sub="u" * 256, **TENANT), None),
    "subject_that_does_not_print": (lambda i: i.token(sub="\u2028", **TENANT), None),
    "subject_that_is_a_number": (lambda i: i.token(sub=7, **TENANT), None),
    "subject_that_is_a_list": (lambda i: i.token(sub=["user-1"], **TENANT), None),
    "algorithm_none": (_unsigned, None),
    "hmac_with_the_public_key": (_signed_with_the_public_key, None),
    "tampered_claims": (_tampered, None),
    "signed_by_a_stranger": (_of_another_key, None),
    "header_jku": (lambda i: i.token({"jku": f"{i.url}/jwks"}, **TENANT), None),
    "header_x5u": (lambda i: i.token({"x5u": f"{i.url}/jwks"}, **TENANT), None),
    "header_x5c": (lambda i: i.token({"x5c": ["MIIB"]}, **TENANT), None),
    "header_jwk": (lambda i: i.token({"jwk": i.key.public_jwk()}, **TENANT), None),
    "header_crit": (lambda i: i.token({"crit": ["exp"]}, **TENANT), None),
    "header_crit_that_is_empty": (lambda i: _with_head(i, crit=[]), None),
    "unknown_kid": (lambda i: i.token({"kid": "nobody"}, **TENANT), None),
    "empty_kid": (lambda i: i.token({"kid": ""}, **TENANT), None),
    "no_kid": (lambda i: jwt.encode(i.claims(**TENANT), i.key.private, "RS256"), None),
    "kid_that_is_a_list": (lambda i: _with_head(i, kid=[i.key.kid]), None),
    "kid_that_is_a_number": (lambda i: _with_head(i, kid=7), None),
    "kid_that_is_an_address": (lambda i: i.token({"kid": i.jwks_uri}, **TENANT), None),
    "kid_that_is_a_path": (lambda i: i.token({"kid": "../../../../dev/null"}, **TENANT), None),
    "kid_of_5_kb": (lambda i: i.token({"kid": "k" * 5000}, **TENANT), None),
    "algorithm_in_lower_case": (lambda i: _with_head(i, alg="rs256"), None),
    "no_algorithm": (lambda i: _with_head(i, alg=None), None),
    "no_signature": (lambda i: i.token(**TENANT).rpartition(".")[0] + ".", None),
}


@pytest.mark.parametrize("case", WRONG_TOKENS)
async def test_a_token_that_is_not_right_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer, case: str
) -> None:
    make, reason = WRONG_TOKENS[case]
    headers = {"authorization": f"Bearer {make(issuer)}"}
    await assert_refused(edge, ingress, headers, reason or reasons.CREDENTIALS_INVALID)


async def test_a_token_without_a_subject_is_not_remembered_as_valid(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    headers = {"authorization": f"Bearer {issuer.token(sub='', **TENANT)}"}
    for _ in range(2):
        await assert_refused(edge, ingress, headers, reasons.CREDENTIALS_INVALID)


async def test_a_token_expired_within_the_leeway_is_accepted(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    answer = await edge.with_token(ECHO, issuer.token(exp=_now() - 10, **TENANT))
    assert answer.status_code == 200


async def test_a_token_from_a_clock_that_differs_within_the_leeway_is_accepted(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    for moment in (_now() - 25, _now() + 25):
        token = issuer.token(iat=moment, nbf=moment, **TENANT)
        assert (await edge.with_token(ECHO, token)).status_code == 200


async def test_a_token_is_not_remembered_beyond_its_leeway(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    # Refused two seconds from now, while what was read of a token is remembered for five.
    ends = _now() + 2
    token = issuer.token(exp=ends - 30, **TENANT)
    assert (await edge.with_token(ECHO, token)).status_code == 200
    asked = time.time()
    while (answer := await edge.with_token(ECHO, token)).status_code == 200:
        assert asked < ends + 1
        await asyncio.sleep(0.05)
        asked = time.time()
    assert error_of(answer).reason == reasons.TOKEN_EXPIRED.word


@pytest.mark.parametrize("header", ["kid", "jku", "x5u"])
async def test_where_a_token_points_for_its_key_nothing_is_fetched(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer, header: str
) -> None:
    async with serving(Issuer()) as elsewhere:
        head = {"kid": elsewhere.key.kid, header: elsewhere.jwks_uri}
        token = elsewhere.token(head, iss=issuer.url, **TENANT)
        headers = {"authorization": f"Bearer {token}"}
        await assert_refused(edge, ingress, headers, reasons.CREDENTIALS_INVALID)
        assert elsewhere.lookups == 0


async def test_no_header_of_a_client_fills_in_what_its_token_leaves_open(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    claimed = {
        "x-tenant-id": "globex", "x-user-id": "mallory", "x-user-email": "m@example.com",
        "x-role": "owner", "x-scopes": "orgs:write", "x-key-id": "key_1",
        "x-impersonator": "svc:key_1", "x-auth-mode": "secret-key", "x-client-address": "10.0.0.1",
    }  # fmt: skip
    token = issuer.token()
    assert (await edge.with_token(NEWCOMER, token)).status_code == 200
    assert (await edge.with_token(NEWCOMER, token, headers=claimed)).status_code == 200
    plain, dressed = (seen.headers for seen in ingress.seen)
    own = {"x-request-id", "traceparent"}
    assert {k: v for k, v in dressed.items() if k not in own} == {
        k: v for k, v in plain.items() if k not in own
    }
    assert (dressed["x-tenant-id"], dressed["x-user-id"]) == ("", "user-1")


async def test_a_token_with_a_list_of_audiences_is_accepted_when_ours_is_among_them(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    mine = issuer.token(aud=["another", "yocaso-dev"], **TENANT)
    assert (await edge.with_token(ECHO, mine)).status_code == 200
    others = issuer.token(aud=["another", "third"], **TENANT)
    assert (await edge.with_token(ECHO, others)).status_code == 401


@pytest.mark.parametrize("tenant", [None, "", 7, True, ["acme"], {"id": "acme"}, "a\nb", "x" * 129])
async def test_a_token_without_a_proper_tenant_is_let_through_on_tenant_free_routes_only(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer, tenant: object
) -> None:
    token = issuer.token(tenant_id=tenant, role="owner")
    headers = {"authorization": f"Bearer {token}"}
    await assert_refused(edge, ingress, headers, reasons.TENANT_MISSING)
    answer = await edge.with_token(NEWCOMER, token)
    assert answer.status_code == 200
    assert ingress.seen[0].headers["x-tenant-id"] == ""
    assert ingress.seen[0].headers["x-scopes"] == ""


async def test_a_token_becomes_identity_headers_and_does_not_travel_on(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    token = issuer.token(sub="u/1", tenant_id="acme", role="member", email="a+b@example.com")
    assert (await edge.with_token(ECHO, token)).status_code == 200
    seen = ingress.seen[0]
    assert seen.headers["x-tenant-id"] == "acme"
    assert seen.headers["x-user-id"] == "u%2F1"
    assert seen.headers["x-user-email"] == "a%2Bb%40example.com"
    assert seen.headers["x-role"] == "member"
    assert seen.headers["x-auth-mode"] == "firebase"
    assert "authorization" not in seen.headers


@pytest.mark.parametrize(
    ("role", "allowed"), [("owner", True), ("admin", True), ("member", False), ("wizard", False)]
)
async def test_manage_scopes_belong_to_owners_and_admins(
    edge: EdgeUnderTest, issuer: Issuer, role: str, allowed: bool
) -> None:
    token = issuer.token(tenant_id="acme", role=role)
    answer = await edge.with_token("/api/v1/probe/manage", token)
    assert answer.status_code == (200 if allowed else 403)


async def test_a_role_that_does_not_exist_has_no_scope_at_all(
    edge: EdgeUnderTest, ingress: FakeIngress, issuer: Issuer
) -> None:
    token = issuer.token(tenant_id="acme", role="wizard")
    await assert_refused(edge, ingress, {"authorization": f"Bearer {token}"}, reasons.SCOPE_MISSING)


async def test_without_an_issuer_no_token_is_accepted(issuer: Issuer, ingress: FakeIngress) -> None:
    async with running_edge(ingress) as edge:
        token = issuer.token(**TENANT)
        headers = {"authorization": f"Bearer {token}"}
        await assert_refused(edge, ingress, headers, reasons.CREDENTIALS_INVALID)
