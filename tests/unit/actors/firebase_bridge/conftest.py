"""Firebase's double, and the client that calls it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actors.firebase_bridge.client import FirebaseClient
from devstack.firebase import key_file
from tests.support.firebase import Firebase, running_firebase


@pytest.fixture(scope="session")
def key_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: making a key takes longer than a test."""
    return key_file.kept(tmp_path_factory.mktemp("firebase") / "service-account.json")


@pytest.fixture
async def firebase(key_path: Path) -> AsyncIterator[Firebase]:
    async with running_firebase(key_path) as firebase:
        yield firebase


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Without certificates, which take longer to load than a test to run."""
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=10) as http:
        yield http


@pytest.fixture
def client(firebase: Firebase, http: httpx.AsyncClient) -> FirebaseClient:
    return FirebaseClient(http, firebase.settings())
