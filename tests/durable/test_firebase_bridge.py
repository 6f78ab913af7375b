"""What the platform says of a user's tokens reaches Firebase, whoever dies on the way."""

import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest

from edge import reasons
from tests.support.bridge_probe import Bridge, running_bridge
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

THREADS = "llm/gateway/list-threads"


@pytest.fixture(scope="module")
def bridge(stack: RunningStack) -> Iterator[Bridge]:
    with running_bridge(stack) as bridge:
        yield bridge


async def somebody(stack: RunningStack) -> str:
    """A new user, whom Firebase knows."""
    user_id = f"user/{uuid.uuid4().hex[:12]}"
    await stack.token(sub=user_id)
    return user_id


async def claims(stack: RunningStack, user_id: str) -> dict[str, Any]:
    """What the user's next token claims."""
    token = await stack.token(sub=user_id)
    return jwt.decode(token, options={"verify_signature": False})


@asynccontextmanager
async def firebase_fails(stack: RunningStack, **fault: Any) -> AsyncGenerator[None]:
    """Firebase is at fault for the length of the block."""
    url = f"{stack.processes.cloud_url}/faults/firebase"
    async with httpx.AsyncClient(timeout=30, trust_env=False, verify=False) as http:
        await http.put(url, json=fault)
        try:
            yield
        finally:
            await http.delete(url)


async def test_claims_reach_firebase_and_are_taken_back(
    stack: RunningStack, bridge: Bridge
) -> None:
    user_id = await somebody(stack)
    await bridge.set(user_id, "acme", "owner")
    assert (await claims(stack, user_id))["role"] == "owner"
    await bridge.clear(user_id, "acme")
    await bridge.revoke(user_id)
    assert await bridge.apply(user_id) == 200
    assert "role" not in await claims(stack, user_id)


async def test_a_user_whom_firebase_does_not_know_is_not_found(
    stack: RunningStack, bridge: Bridge
) -> None:
    user_id = f"nobody-{uuid.uuid4().hex[:12]}"
    await bridge.clear(user_id, "acme")
    assert await bridge.apply(user_id) == 404


async def test_a_record_that_firebase_never_heard_of_is_what_the_edge_goes_by(
    stack: RunningStack, bridge: Bridge
) -> None:
    user_id = await somebody(stack)
    async with firebase_fails(stack, kind="status", status=500):
        await bridge.clear(user_id, "acme")
        token = await stack.token(sub=user_id, tenant_id="acme", role="member")
        answer = await stack.call(THREADS, token=token)
    assert answer.status == 401
    assert answer.body["error"]["details"]["reason"] == reasons.TOKEN_STALE.word
