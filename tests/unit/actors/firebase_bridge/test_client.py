"""What the client tells Firebase, and what it makes of every way in which Firebase can fail."""

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import jwt
import pytest

from actors.firebase_bridge import client as client_module
from actors.firebase_bridge import reasons
from actors.firebase_bridge.client import FirebaseClient, open_http
from actors.firebase_bridge.service_account import KeyFileError, ServiceAccount
from actors.firebase_bridge.settings import FirebaseSettings
from devstack.cloud.faults import Fault
from devstack.firebase import key_file
from errors import Reason, RpcError
from tests.support.firebase import Firebase

pytestmark = pytest.mark.anyio

ACME = {"tenant_id": "acme", "role": "admin"}


async def refusal(client: FirebaseClient, reason: Reason, user_id: str = "alice") -> RpcError:
    """An update is refused for this reason."""
    with pytest.raises(RpcError) as caught:
        await client.update(user_id, claims=ACME, valid_since=0)
    error = caught.value
    assert (error.code, error.reason) == (reason.code, reason.word)
    return error


async def test_claims_are_set_beside_those_of_others(
    client: FirebaseClient, firebase: Firebase
) -> None:
    firebase.user("alice", '{"beta": true, "role": "old", "nested": {"a": [1]}}')
    assert await client.update("alice", claims=ACME, valid_since=0)
    assert firebase.claims("alice") == {"beta": True, "nested": {"a": [1]}, **ACME}


async def test_clearing_takes_away_our_claims_and_no_others(
    client: FirebaseClient, firebase: Firebase
) -> None:
    firebase.user("alice", json.dumps({**ACME, "beta": True}))
    await client.update("alice", claims={}, valid_since=0)
    assert firebase.claims("alice") == {"beta": True}


async def test_what_firebase_has_is_not_told_again(
    client: FirebaseClient, firebase: Firebase
) -> None:
    firebase.user("alice", json.dumps(ACME))
    assert not await client.update("alice", claims=ACME, valid_since=0)
    assert firebase.calls("update") == 0


async def test_ending_sessions_touches_no_claims_and_never_brings_one_back(
    client: FirebaseClient, firebase: Firebase
) -> None:
    firebase.user("alice", json.dumps({"tenant_id": "by hand"}))
    await client.update("alice", claims=None, valid_since=2_000)
    await client.update("alice", claims=None, valid_since=1_000)
    assert firebase.accounts.open("alice").valid_since == 2_000
    assert firebase.claims("alice") == {"tenant_id": "by hand"}


async def test_many_calls_at_once_cost_one_access_token(
    client: FirebaseClient, firebase: Firebase
) -> None:
    firebase.user("alice")
    calls = (client.update("alice", claims=ACME, valid_since=n) for n in range(1, 11))
    await asyncio.gather(*calls)
    assert firebase.calls("/token") == 1


async def test_an_access_token_is_renewed_before_it_ends(
    client: FirebaseClient, firebase: Firebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    firebase.user("alice")
    await client.update("alice", claims=ACME, valid_since=0)
    # A clock of the client's own: the deadlines of everything else stay where they are.
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600 - 299)
    monkeypatch.setattr(client_module, "time", later)
    await client.update("alice", claims=ACME, valid_since=0)
    assert firebase.calls("/token") == 2


async def test_an_access_token_that_google_forgot_is_replaced_once(
    client: FirebaseClient, firebase: Firebase, http: httpx.AsyncClient
) -> None:
    firebase.user("alice")
    await client.update("alice", claims=None, valid_since=0)
    await http.post(f"{firebase.url}/control/forget-access")
    assert await client.update("alice", claims=ACME, valid_since=0)
    firebase.fails(Fault(kind="status", status=401))
    await refusal(client, reasons.CREDENTIALS_REFUSED)
    assert firebase.calls("/token") == 2


async def test_a_user_who_is_not_there_is_not_found(client: FirebaseClient) -> None:
    error = await refusal(client, reasons.USER_NOT_FOUND, "nobody")
    assert error.is_terminal


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, reasons.REQUEST_REFUSED),
        (403, reasons.CREDENTIALS_REFUSED),
        (404, reasons.USER_NOT_FOUND),
        (409, reasons.REQUEST_REFUSED),
        (429, reasons.RATE_LIMITED),
        (500, reasons.FAILED),
        (502, reasons.FAILED),
        (503, reasons.UNAVAILABLE),
        (504, reasons.TIMED_OUT),
    ],
)
async def test_a_status_has_its_reason(
    client: FirebaseClient, firebase: Firebase, status: int, reason: Reason
) -> None:
    firebase.user("alice")
    await client.update("alice", claims=None, valid_since=0)
    firebase.fails(Fault(kind="status", status=status, retry_after="7"))
    error = await refusal(client, reason)
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 7


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("USER_NOT_FOUND", reasons.USER_NOT_FOUND),
        ("USER_NOT_FOUND : There is no user record.", reasons.USER_NOT_FOUND),
        ("CLAIMS_TOO_LARGE", reasons.REQUEST_REFUSED),
        ("INVALID_CLAIMS", reasons.REQUEST_REFUSED),
        ("PROJECT_NOT_FOUND", reasons.CREDENTIALS_REFUSED),
        ("CONFIGURATION_NOT_FOUND", reasons.CREDENTIALS_REFUSED),
        ("INSUFFICIENT_PERMISSION", reasons.CREDENTIALS_REFUSED),
        ("QUOTA_EXCEEDED : Exceeded quota.", reasons.RATE_LIMITED),
        ("TOO_MANY_ATTEMPTS_TRY_LATER", reasons.RATE_LIMITED),
        (7, reasons.REQUEST_REFUSED),
        (None, reasons.REQUEST_REFUSED),
    ],
)
async def test_a_400_is_judged_by_its_word(
    firebase: Firebase, message: object, reason: Reason
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "a", "expires_in": 3599})
        return httpx.Response(400, json={"error": {"code": 400, "message": message}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await refusal(FirebaseClient(http, firebase.settings()), reason)


async def test_claims_that_are_too_large_are_refused_and_not_cut(
    client: FirebaseClient, firebase: Firebase
) -> None:
    attributes = json.dumps({"theirs": "x" * 980})
    firebase.user("alice", attributes)
    await refusal(client, reasons.REQUEST_REFUSED)
    assert firebase.accounts.open("alice").attributes == attributes


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_assertion_is_our_own_access_and_never_quoted(
    client: FirebaseClient, firebase: Firebase, status: int
) -> None:
    firebase.fails(Fault(kind="status", status=status))
    error = await refusal(client, reasons.CREDENTIALS_REFUSED)
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.body == ""


async def test_garbage_is_a_passing_fault(client: FirebaseClient, firebase: Firebase) -> None:
    firebase.fails(Fault(kind="garbage"))
    error = await refusal(client, reasons.FAILED)
    assert not error.is_terminal
    firebase.fails(None)
    firebase.user("alice")
    await client.update("alice", claims=None, valid_since=0)
    firebase.fails(Fault(kind="garbage"))
    await refusal(client, reasons.FAILED)


@pytest.mark.parametrize("kind", ["stall", "slow"])
async def test_a_firebase_that_does_not_answer_is_given_up(
    firebase: Firebase, http: httpx.AsyncClient, kind: str
) -> None:
    firebase.fails(Fault.model_validate({"kind": kind, "delay_ms": 60_000, "after": 0}))
    client = FirebaseClient(http, firebase.settings(timeout_seconds=0.3))
    await refusal(client, reasons.TIMED_OUT)


async def test_a_cut_answer_is_a_passing_fault(client: FirebaseClient, firebase: Firebase) -> None:
    firebase.fails(Fault(kind="cut", after=0))
    assert not (await refusal(client, reasons.FAILED)).is_terminal


async def test_a_firebase_that_is_not_there_is_unavailable(
    firebase: Firebase, http: httpx.AsyncClient
) -> None:
    settings = firebase.settings().model_copy(update={"token_url": "http://127.0.0.1:9/token"})
    await refusal(FirebaseClient(http, settings), reasons.UNAVAILABLE)


async def test_without_a_service_account_nothing_is_called(http: httpx.AsyncClient) -> None:
    client = FirebaseClient(http, FirebaseSettings())
    assert not client.configured
    assert (await refusal(client, reasons.NOT_CONFIGURED)).is_terminal


async def test_our_access_is_carried_to_no_other_place(firebase: Firebase) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "http://elsewhere.invalid/"})

    async with open_http(firebase.settings()) as http:
        http._transport = httpx.MockTransport(answer)  # pyright: ignore[reportPrivateUsage]
        await refusal(FirebaseClient(http, firebase.settings()), reasons.FAILED)
    assert len(seen) == 1


async def test_a_custom_token_signs_in_as_its_user_with_the_claims_that_were_set(
    client: FirebaseClient, firebase: Firebase, http: httpx.AsyncClient
) -> None:
    firebase.user("alice")
    await client.update("alice", claims=ACME, valid_since=0)
    assert client.service_account is not None
    token = client.service_account.custom_token("alice", {"kiosk": 7})
    signed_in = await http.post(
        f"{firebase.url}/v1/accounts:signInWithCustomToken", json={"token": token}
    )
    claims = jwt.decode(signed_in.json()["idToken"], options={"verify_signature": False})
    assert claims["sub"] == "alice"
    assert {name: claims[name] for name in ("tenant_id", "role", "kiosk")} == {**ACME, "kiosk": 7}


async def test_a_sign_in_ends_at_firebase_too_when_sessions_are_revoked(
    client: FirebaseClient, firebase: Firebase, http: httpx.AsyncClient
) -> None:
    assert client.service_account is not None
    token = client.service_account.custom_token("alice")
    signed_in = await http.post(
        f"{firebase.url}/v1/accounts:signInWithCustomToken", json={"token": token}
    )
    form = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refreshToken"]}
    assert (await http.post(f"{firebase.url}/v1/token", data=form)).status_code == 200
    await client.update("alice", claims=None, valid_since=int(time.time()) + 1)
    assert (await http.post(f"{firebase.url}/v1/token", data=form)).status_code == 400


@pytest.mark.parametrize("claims", [{"sub": "root"}, {"firebase": {}}, {"aud": "x"}])
def test_a_custom_token_with_a_reserved_claim_is_not_made(
    key_path: Path, claims: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="reserved"):
        ServiceAccount(key_path.read_text()).custom_token("alice", claims)


@pytest.mark.parametrize("user_id", ["", "x" * 129])
def test_a_custom_token_for_no_user_is_not_made(key_path: Path, user_id: str) -> None:
    with pytest.raises(ValueError, match="128"):
        ServiceAccount(key_path.read_text()).custom_token(user_id)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "not json", '{"project_id": "p", "client_email": "e"}',
        '{"project_id": "p", "client_email": "e", "private_key": "no key"}',
    ],
)  # fmt: skip
def test_what_is_no_key_file_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        ServiceAccount(text)
    assert str(caught.value) == "not the key file of a service account"
    assert caught.value.__cause__ is None


def test_a_key_that_is_not_rsa_is_refused(key_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    found = json.loads(key_path.read_text())
    with pytest.raises(KeyFileError):
        ServiceAccount(json.dumps({**found, "private_key": pem.decode()}))


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = key_file.kept(tmp_path / "deep" / "key.json")
    assert path.stat().st_mode & 0o077 == 0
    assert key_file.kept(path).read_text() == path.read_text()
