"""A change that was answered reaches Firebase although what carries it is killed with signal 9."""

import uuid
from collections.abc import Iterator

import httpx
import jwt
import pytest

from tests.support.bridge_probe import Bridge, running_bridge
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def stack(mortal_stack: RunningStack) -> RunningStack:
    """Whose processes may be killed."""
    return mortal_stack


@pytest.fixture(scope="module")
def bridge(stack: RunningStack) -> Iterator[Bridge]:
    with running_bridge(stack) as bridge:
        yield bridge


@pytest.mark.parametrize("victim", ["handlers", "restate", "local-cloud"])
async def test_a_change_is_told_after_a_death_in_the_middle_of_telling_it(
    stack: RunningStack, bridge: Bridge, victim: str
) -> None:
    user_id = f"user-{uuid.uuid4().hex[:12]}"
    await stack.token(sub=user_id)
    await bridge.set(user_id, "acme", "member")
    cloud_url = stack.processes.cloud_url
    async with httpx.AsyncClient(timeout=30, trust_env=False, verify=False) as http:

        async def is_asked() -> bool:
            vendors = (await http.get(f"{cloud_url}/faults")).json()["vendors"]
            return vendors["firebase"]["spoiled"] > before

        before = (await http.get(f"{cloud_url}/faults")).json()["vendors"]["firebase"]["spoiled"]
        await http.put(f"{cloud_url}/faults/firebase", json={"kind": "stall", "after": 0})
        await bridge.clear(user_id, "acme")
        await stack.wait_until(is_asked)
        await stack.kill(victim)
        await stack.start(victim)
        await http.delete(f"{cloud_url}/faults/firebase")

    async def is_told() -> bool:
        token = await stack.token(sub=user_id)
        return "tenant_id" not in jwt.decode(token, options={"verify_signature": False})

    await stack.wait_until(is_told, 60)
