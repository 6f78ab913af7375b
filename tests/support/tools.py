"""Threads whose model calls tools: the server of the organization, and what the model wants."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from devstack.openrouter.messages import Answer, ToolCall
from devstack.toolbox.control import ToolboxControl
from tests.support.conversation import GATEWAY, Conversation, Json, User
from tests.support.stack import RunningStack

SERVER = "toolbox"
RULES = [
    {"toolName": "add", "effect": "READ"},
    {"toolName": "weather", "effect": "READ"},
    {"toolName": "fail", "effect": "READ"},
    {"toolName": "wait", "effect": "READ"},
    {"toolName": "produce", "effect": "READ"},
    {"toolName": "remember", "effect": "IDEMPOTENT"},
]
ALLOWED: Json = {"allowed": [SERVER]}
FREELY: Json = ALLOWED | {"approvals": [{"tool": "*", "approval": "NEVER"}]}


@asynccontextmanager
async def toolbox_of(stack: RunningStack, tenant: str = "acme") -> AsyncGenerator[ToolboxControl]:
    """The stack's toolbox, registered for the users of tests, without calls of earlier ones."""
    toolbox = ToolboxControl(stack.processes.cloud_url)
    try:
        await toolbox.reset()
        await register(stack, tenant)
        yield toolbox
    finally:
        await toolbox.reset()
        await toolbox.aclose()


async def register(stack: RunningStack, tenant: str = "acme", **more: Any) -> None:
    """Register the toolbox for a tenant, or what is said instead."""
    token = await stack.token(sub="olivia", tenant_id=tenant, role="owner")
    url = f"{stack.processes.cloud_url}/toolbox/mcp"
    body = {"serverName": SERVER, "url": url, "toolRules": RULES} | more
    async with httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as client:
        answer = await client.post(
            f"{stack.base_url}{GATEWAY}mcp-register-server",
            json=body,
            headers={"authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 200, answer.text


async def thread_with(user: User, tools: Json = ALLOWED, **settings: Any) -> Conversation:
    """A thread whose model may call these tools."""
    return await user.create(settings={"tools": tools, **settings})


def wants(*calls: tuple[str, Json], text: str = "") -> Answer:
    """The model asks for these tools of the toolbox."""
    asked = [
        ToolCall(name=f"{SERVER}__{tool}", arguments=json.dumps(arguments))
        for tool, arguments in calls
    ]
    return Answer(tool_calls=asked, text=text or None)


def tool_events(events: Sequence[Json], kind: str) -> list[Json]:
    """What the events of a type tell about calls, in order."""
    return [event["toolCall"] for event in events if event["type"] == kind]


async def pending(thread: Conversation, count: int = 1) -> list[Json]:
    """The approvals that the thread waits for, once there are so many."""
    for _ in range(count):
        await thread.happened("tool.approval_required")
    state = await thread.state()
    assert state["status"] == "AWAITING_APPROVAL", state
    approvals = state["pendingApprovals"]
    assert len(approvals) == count
    return approvals


async def resolve(thread: Conversation, approval: Json, decision: str, **more: Any) -> Json:
    """Decide on a call."""
    answer = await thread.call(
        "resolve-tool-approval",
        approvalId=approval["approvalId"],
        decision=decision,
        **more,
    )
    return answer["approval"]
