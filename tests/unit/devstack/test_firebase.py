"""The double of Firebase refuses what the real one would, and forgets nothing."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from devstack.firebase import key_file
from devstack.firebase.accounts import Accounts
from devstack.issuer import AUDIENCE, Issuer, IssuerApp, SigningKey
from devstack.processes import free_port
from devstack.serving import serving
from tests.support.firebase import PROJECT_PATH, Firebase, running_firebase

pytestmark = pytest.mark.anyio

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def key_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return key_file.kept(tmp_path_factory.mktemp("firebase") / "key.json")


@pytest.fixture(scope="module")
def key(key_path: Path) -> SigningKey:
    """The service account's."""
    return key_file.signing_key(key_path.read_text())


@pytest.fixture
async def firebase(key_path: Path) -> AsyncIterator[Firebase]:
    async with running_firebase(key_path) as firebase:
        yield firebase


@pytest.fixture
async def http(firebase: Firebase) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=firebase.url, trust_env=False, verify=False) as http:
        yield http


def assertion(key: SigningKey, **changes: Any) -> str:
    """What a service account signs."""
    now = int(time.time())
    said = {
        "iss": key_file.EMAIL, "aud": "a", "scope": "s", "iat": now, "exp": now + 60, **changes
    }  # fmt: skip
    present = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(present, key.private, algorithm="RS256")


async def exchanged(http: httpx.AsyncClient, text: str, grant: str = GRANT) -> httpx.Response:
    return await http.post("/token", data={"grant_type": grant, "assertion": text})


async def test_only_the_service_account_gets_an_access_token(
    http: httpx.AsyncClient, key: SigningKey
) -> None:
    assert (await exchanged(http, assertion(key))).status_code == 200
    wrong = [
        assertion(SigningKey()),
        assertion(key, iss="someone@else"),
        assertion(key, exp=int(time.time()) - 1),
        assertion(key, exp=None),
        assertion(key, scope=None),
        "no token",
        "",
    ]
    for text in wrong:
        refused = await exchanged(http, text)
        assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})
    assert (await exchanged(http, assertion(key), "password")).status_code == 400


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic x", "owner"])
async def test_accounts_are_nobodys_without_an_access_token(
    http: httpx.AsyncClient, authorization: str
) -> None:
    for method in ("lookup", "update"):
        answer = await http.post(
            f"{PROJECT_PATH}/accounts:{method}",
            json={"localId": "alice"},
            headers={"authorization": authorization},
        )
        assert answer.status_code == 401


async def test_no_custom_token_but_the_service_accounts_signs_in(
    http: httpx.AsyncClient, key: SigningKey
) -> None:
    for token in (assertion(key, uid="alice", sub=key_file.EMAIL), "x", assertion(SigningKey())):
        answer = await http.post("/v1/accounts:signInWithCustomToken", json={"token": token})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "INVALID_CUSTOM_TOKEN"


async def test_claims_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    accounts = Accounts(path)
    accounts.open("alice").attributes = '{"tenant_id": "acme"}'
    accounts.keep()
    again = Accounts(path)
    assert again.open("alice").claims() == {"tenant_id": "acme"}
    assert again.find("bob") is None


async def test_the_issuers_next_token_has_the_claims_unless_others_are_asked_for() -> None:
    accounts = Accounts()
    accounts.open("alice").attributes = '{"tenant_id": "acme", "role": "owner"}'
    issuer = Issuer()
    async with (
        serving(IssuerApp(issuer, accounts), free_port()) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http,
    ):

        async def claims(**asked: Any) -> dict[str, Any]:
            token = (await http.post("/token", json=asked)).json()["token"]
            key = issuer.key.private.public_key()
            return jwt.decode(token, key, ["RS256"], audience=AUDIENCE)

        found = await claims(sub="alice")
        assert (found["tenant_id"], found["role"]) == ("acme", "owner")
        assert found["auth_time"] == found["iat"]
        assert (await claims(sub="alice", role="member"))["role"] == "member"
        assert "tenant_id" not in await claims(sub="alice", tenant_id=None)
        assert "tenant_id" not in await claims(sub="bob")
        assert accounts.find("bob") is not None
