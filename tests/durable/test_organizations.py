"""Making an organization while processes die: everybody gets one, whole, and no second one."""

import asyncio
from typing import Any

import httpx
import pytest

from services.organization.contract import OWNER
from tests.support.people import Person, newcomer
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

FOUNDERS = 6
TRY_SECONDS = 90


async def founded(founder: Person) -> dict[str, Any]:
    """Create an organization, again with the same key until that is answered; the answer."""

    async def answered() -> dict[str, Any] | None:
        try:
            made = await founder.call("orgs/create", {"name": "Durable"}, idempotency_key="mine")
        except httpx.TransportError:
            return None
        if made.status != 200:
            assert not made.body["error"]["isTerminal"], made.body
            return None
        return made.body

    made = await founder.stack.wait_until(answered, TRY_SECONDS)
    assert made is not None
    return made


@pytest.mark.parametrize("name", ["handlers", "restate"])
async def test_whoever_creates_an_organization_while_a_process_dies_gets_one(
    fresh_stack: RunningStack, name: str
) -> None:
    stack = fresh_stack
    founders = [await newcomer(stack, "founder") for _ in range(FOUNDERS)]
    creating = [asyncio.create_task(founded(founder)) for founder in founders]
    await stack.kill(name)
    await stack.start(name)
    await stack.kill(name)
    await stack.start(name)
    made = await asyncio.gather(*creating)
    tenants = [each["organization"]["tenantId"] for each in made]
    assert len(set(tenants)) == FOUNDERS
    for founder, answer in zip(founders, made, strict=True):
        await founder.refresh()
        # Whoever asks again, without the key, is told of the same one.
        again = await founder.call("orgs/create", {"name": "Durable"})
        assert again.body == answer
        members = (await founder.call("orgs/list-members")).body["members"]
        assert [(each["userId"], each["role"]) for each in members] == [(founder.user_id, OWNER)]
        await stack.wait_until(lambda of=founder: logged(of))


async def logged(founder: Person) -> bool:
    """Whether the audit log tells of the organization, once."""
    entries = (await founder.call("orgs/audit-log")).body["entries"]
    return [each["action"] for each in entries] == ["organization.created"]
