"""A publishable key and its user's token: both valid, or nothing."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest

from chassis import key_text
from chassis.addresses import OutgoingAddresses
from devstack.issuer import Fault, Issuer, serving
from devstack.keys import AUDIENCE
from edge import reasons
from edge.credentials.fetching import Fetcher, FetchError
from errors import Reason
from services.api_key.contract import KeyType, Oidc
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.key_store import KeyStore, key_store

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
KEY = key_text.new("pk_")


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving(Issuer()) as issuer:
        yield issuer


@pytest.fixture
async def store(issuer: Issuer) -> AsyncIterator[KeyStore]:
    async with key_store() as store:
        put(store, issuer)
        yield store


@pytest.fixture
async def edge(store: KeyStore) -> AsyncIterator[EdgeUnderTest]:
    async with running_edge(store, outgoing_allowed_hosts=("127.0.0.1",)) as edge:
        yield edge


def put(store: KeyStore, issuer: Issuer, jwks_uri: str = "", **grant: Any) -> None:
    """Let the key accept the issuer's users."""
    oidc = Oidc(issuer=issuer.url, audience=AUDIENCE, jwks_uri=jwks_uri)
    known = {"type": KeyType.PUBLISHABLE, "oidc": oidc, "namespace": "u1"}
    store.put(KEY, **{**known, **grant})


async def call(edge: EdgeUnderTest, token: str | None, **headers: str) -> httpx.Response:
    """Call the probe with the key and a token."""
    sent = {"x-api-key": KEY, **headers}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    return await edge.anonymous(ECHO, headers=sent)


async def refusal(edge: EdgeUnderTest, token: str | None, reason: Reason, **headers: str) -> None:
    """The call is refused for this reason."""
    error = error_of(await call(edge, token, **headers))
    assert (error.code, error.reason) == (reason.code, reason.word)


@pytest.mark.parametrize("discovery", [True, False], ids=["discovery", "jwks_uri"])
async def test_the_user_is_namespaced_and_the_tenant_is_the_keys(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer, discovery: bool
) -> None:
    put(store, issuer, "" if discovery else issuer.jwks_uri)
    token = issuer.token(sub="auth0|7:x", email="a@b.example", tenant_id="globex", role="owner")
    answer = await call(edge, token)
    assert answer.status_code == 200
    assert "ratelimit-limit" in answer.headers
    (seen,) = store.forwarded
    assert seen.headers["x-tenant-id"] == "acme"
    assert seen.headers["x-user-id"] == "u1%3Aauth0%7C7%3Ax"
    assert seen.headers["x-auth-mode"] == "publishable-key"
    assert seen.headers["x-scopes"] == "conversations:read"
    assert "x-role" not in seen.headers


async def test_neither_the_key_nor_the_token_alone_is_accepted(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    await refusal(edge, None, reasons.CREDENTIALS_INCOMPLETE)
    alone = await edge.with_token(ECHO, issuer.token())
    assert error_of(alone).reason == reasons.CREDENTIALS_INVALID.word


def _with_secret(issuer: Issuer) -> str:
    claims = issuer.claims()
    secret = "a secret of at least thirty-two bytes"
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": issuer.key.kid})


def _unsigned(issuer: Issuer) -> str:
    return jwt.encode(issuer.claims(), "", algorithm="none", headers={"kid": issuer.key.kid})


WRONG_TOKENS: dict[str, Callable[[Issuer], str]] = {
    "of another issuer": lambda i: i.token(iss="https://other.example"),
    "for another audience": lambda i: i.token(aud="other"),
    "signed by a stranger": lambda i: Issuer(i.url).token({"kid": i.key.kid}),
    "of an unknown key": lambda i: i.token({"kid": "unknown"}),
    "without subject": lambda i: i.token(sub=None),
    "with an empty subject": lambda i: i.token(sub=""),
    "not yet valid": lambda i: i.token(nbf=int(time.time()) + 300),
    "without expiry": lambda i: i.token(exp=None),
    "pointing at its own keys": lambda i: i.token({"jku": i.jwks_uri}),
    "pointing at its own certificate": lambda i: i.token({"x5u": i.jwks_uri}),
    "bringing its own key": lambda i: i.token({"jwk": i.key.public_jwk()}),
    "with a critical header": lambda i: i.token({"crit": ["exp"]}),
    "whose key id is an address": lambda i: i.token({"kid": i.jwks_uri}),
    "with a list of other audiences": lambda i: i.token(aud=["other", "third"]),
    "with an empty list of audiences": lambda i: i.token(aud=[]),
    "with a subject of the wrong type": lambda i: i.token(sub=7),
    "with a subject that does not print": lambda i: i.token(sub="a\r\nx: y"),
    "with a subject that is too long": lambda i: i.token(sub="u" * 256),
    "with an HMAC": _with_secret,
    "unsigned": _unsigned,
}


@pytest.mark.parametrize("case", WRONG_TOKENS)
async def test_a_wrong_token_is_refused(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer, case: str
) -> None:
    await refusal(edge, WRONG_TOKENS[case](issuer), reasons.CREDENTIALS_INVALID)
    assert store.forwarded == []


async def test_clocks_may_differ_within_the_leeway_and_audiences_be_several(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    now = int(time.time())
    for claims in (
        {"exp": now - 10},
        {"iat": now + 25, "nbf": now + 25},
        {"aud": ["other", AUDIENCE]},
    ):
        assert (await call(edge, issuer.token(**claims))).status_code == 200


async def test_an_expired_token_is_called_so(edge: EdgeUnderTest, issuer: Issuer) -> None:
    await refusal(edge, issuer.token(exp=int(time.time()) - 120), reasons.TOKEN_EXPIRED)


async def test_the_token_of_one_keys_issuer_is_nothing_to_another_key(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    async with serving(Issuer()) as other:
        assert (await call(edge, issuer.token())).status_code == 200
        await refusal(edge, other.token(), reasons.CREDENTIALS_INVALID)


async def test_a_secret_key_does_not_pose_as_publishable(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    put(store, issuer, type=KeyType.SECRET)
    await refusal(edge, issuer.token(), reasons.CREDENTIALS_INVALID)


async def test_the_text_of_a_publishable_key_is_no_secret_key(
    edge: EdgeUnderTest, store: KeyStore
) -> None:
    renamed = {"x-api-key": f"sk_{KEY[3:]}"}
    error = error_of(await edge.anonymous(ECHO, headers=renamed))
    assert error.reason == reasons.CREDENTIALS_INVALID.word
    assert store.lookups == 0


async def test_a_publishable_key_never_impersonates(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    put(store, issuer, scopes=["conversations:read", "users:impersonate"])
    behalf = {"x-on-behalf-of": "u1:other"}
    await refusal(edge, issuer.token(), reasons.IMPERSONATION_DENIED, **behalf)


async def test_only_the_pages_that_the_key_names_may_use_it(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    put(store, issuer, allowed_origins=["https://app.example"])
    token = issuer.token()
    assert (await call(edge, token, origin="https://app.example")).status_code == 200
    for origin in ("https://app.example.evil", "http://app.example", "null", "https://APP.example"):
        await refusal(edge, token, reasons.ORIGIN_NOT_ALLOWED, origin=origin)
    await refusal(edge, token, reasons.ORIGIN_NOT_ALLOWED)


@pytest.mark.parametrize("explicit", [False, True], ids=["discovery", "jwks_uri"])
@pytest.mark.parametrize(
    "fault", [Fault.DOWN, Fault.STALL, Fault.HUGE, Fault.REDIRECT, Fault.GARBAGE]
)
async def test_while_the_issuers_keys_cannot_be_had_tokens_are_unavailable_not_invalid(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer, fault: Fault, explicit: bool
) -> None:
    put(store, issuer, issuer.jwks_uri if explicit else "")
    issuer.fault = fault
    await refusal(edge, issuer.token(), reasons.ISSUER_UNAVAILABLE)
    assert issuer.lookups == 1


async def test_an_issuer_that_rotates_its_keys_is_followed(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    old = issuer.token()
    assert (await call(edge, old)).status_code == 200
    issuer.rotate()
    assert (await call(edge, issuer.token())).status_code == 200
    assert (await call(edge, issuer.token(sub="b"))).status_code == 200
    assert (await call(edge, old)).status_code == 200
    issuer.rotate(keep_old=False)
    assert (await call(edge, issuer.token())).status_code == 200
    assert issuer.lookups == 3


async def test_a_flood_of_unknown_key_ids_costs_the_issuer_few_look_ups(
    edge: EdgeUnderTest, issuer: Issuer
) -> None:
    assert (await call(edge, issuer.token())).status_code == 200
    floods = [issuer.token({"kid": f"made-up-{n}"}) for n in range(100)]
    answers = [await call(edge, token) for token in floods]
    assert {answer.status_code for answer in answers} == {401}
    assert issuer.lookups <= 1 + 3


async def test_keys_are_not_fetched_from_a_private_place_that_discovery_names(
    store: KeyStore,
) -> None:
    async with (
        serving(_PointsInside()) as issuer,
        running_edge(store, outgoing_allowed_hosts=("127.0.0.1",)) as edge,
    ):
        put(store, issuer)
        await refusal(edge, issuer.token(), reasons.ISSUER_UNAVAILABLE)
        assert issuer.lookups == 0


class _PointsInside(Issuer):
    """An allowed issuer whose keys stand at an address that nobody allowed."""

    @property
    def jwks_uri(self) -> str:
        return f"{self.url}/jwks".replace("127.0.0.1", "localhost")


async def test_an_issuer_that_discovery_does_not_confirm_is_not_believed(
    edge: EdgeUnderTest, store: KeyStore, issuer: Issuer
) -> None:
    store.put(
        KEY,
        type=KeyType.PUBLISHABLE,
        oidc=Oidc(issuer=f"{issuer.url}/", audience=AUDIENCE),
        namespace="u1",
    )
    token = issuer.token(iss=f"{issuer.url}/")
    await refusal(edge, token, reasons.ISSUER_UNAVAILABLE)


async def test_a_private_issuer_is_never_called_unless_the_operator_allows_it(
    store: KeyStore, issuer: Issuer
) -> None:
    async with running_edge(store) as edge:
        await refusal(edge, issuer.token(), reasons.ISSUER_UNAVAILABLE)
    assert issuer.lookups == 0


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]"])
async def test_no_spelling_of_a_private_address_is_fetched(issuer: Issuer, host: str) -> None:
    port = issuer.url.rsplit(":", 1)[1]
    # TLS is not what stops it: the name is allowed to be plain here, its number is not.
    fetcher = Fetcher(_PlainButPublic())
    with pytest.raises(FetchError):
        await fetcher.get(f"http://{host}:{port}/jwks")
    await fetcher.close()
    assert issuer.lookups == 0


class _PlainButPublic(OutgoingAddresses):
    """The rule, without its demand for TLS."""

    def check_url(self, url: str) -> None:
        super().check_url(url.replace("http://", "https://"))
