"""Tool servers of an organization, as its administrators, its members and strangers see them."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devstack.processes import free_port
from devstack.toolbox.control import ToolboxControl
from tests.support.stack import Answer, RunningStack

pytestmark = pytest.mark.anyio

GATEWAY = "llm/gateway"


class Organization:
    """The calls of these tests, for a tenant that no other test knows."""

    def __init__(self, stack: RunningStack, owner: str, member: str) -> None:
        self.stack = stack
        self.owner = owner
        self.member = member

    async def call(self, method: str, body: dict[str, Any], *, token: str | None = None) -> Answer:
        return await self.stack.call(f"{GATEWAY}/{method}", body, token=token or self.member)

    async def register(self, name: str = "toolbox", **registration: Any) -> Answer:
        body = {"serverName": name, "url": toolbox_url(self.stack)} | registration
        return await self.call("mcp-register-server", body, token=self.owner)

    async def tool(self, name: str, /, **arguments: Any) -> Answer:
        body = {"serverName": "toolbox", "toolName": name, "arguments": arguments}
        return await self.call("mcp-call-tool", body)


def toolbox_url(stack: RunningStack) -> str:
    return f"{stack.processes.cloud_url}/toolbox/mcp"


@pytest.fixture
async def org(live_stack: RunningStack) -> Organization:
    tenant = f"org-{uuid.uuid4().hex[:8]}"
    owner = await live_stack.token(sub="olivia", tenant_id=tenant, role="owner")
    member = await live_stack.token(sub="max", tenant_id=tenant, role="member")
    return Organization(live_stack, owner, member)


@pytest.fixture
async def toolbox(live_stack: RunningStack) -> AsyncIterator[ToolboxControl]:
    control = ToolboxControl(live_stack.processes.cloud_url)
    await control.reset()
    yield control
    await control.reset()
    await control.aclose()


async def test_a_registered_server_is_listed_described_and_called(
    org: Organization, toolbox: ToolboxControl
) -> None:
    registered = await org.register(description="Tools to try")
    assert registered.status == 200
    assert "status" not in registered.body["server"]
    servers = (await org.call("mcp-list-available-servers", {})).body["servers"]
    assert [(server["serverName"], server["status"]) for server in servers] == [
        ("toolbox", "AVAILABLE")
    ]
    info = (await org.call("mcp-get-server-info", {"serverName": "toolbox"})).body
    assert info["protocolVersion"] == "2026-07-28"
    assert "tools" in info["capabilities"]
    tools = (await org.call("mcp-list-tools", {"serverName": "toolbox"})).body["tools"]
    add = next(tool for tool in tools if tool["name"] == "add")
    assert add["inputSchema"]["required"] == ["a", "b"]
    assert (add["effect"], add["approval"]) == ("DANGEROUS", "DANGEROUS_ONLY")
    called = await org.tool("add", a=20, b=22)
    assert called.status == 200
    assert called.body["status"] == "SUCCEEDED"
    assert called.body["result"]["structuredContent"] == {"sum": 42}
    assert called.body["timing"]["duration"].endswith("s")


async def test_resources_and_prompts_are_read(org: Organization, toolbox: ToolboxControl) -> None:
    await org.register()
    server = {"serverName": "toolbox"}
    (resource,) = (await org.call("mcp-list-resources", server)).body["resources"]
    read = await org.call("mcp-read-resource", server | {"uri": resource["uri"]})
    assert read.body["contents"][0]["text"].startswith("The toolbox")
    (prompt,) = (await org.call("mcp-list-prompts", server)).body["prompts"]
    asked = server | {"promptName": prompt["name"], "arguments": {"name": "Ann"}}
    filled = await org.call("mcp-get-prompt", asked)
    assert filled.body["messages"][0]["content"]["text"] == "Greet Ann."


async def test_a_server_that_is_down_is_marked_and_the_others_are_listed(
    org: Organization,
) -> None:
    await org.register("alive")
    await org.register("dead", url=f"http://127.0.0.1:{free_port()}/mcp")
    servers = (await org.call("mcp-list-available-servers", {})).body["servers"]
    states = {server["serverName"]: server for server in servers}
    assert states["alive"]["status"] == "AVAILABLE"
    assert states["dead"]["status"] == "UNAVAILABLE"
    assert states["dead"]["error"]["details"]["reason"] == "mcp_server.unreachable"
    info = await org.call("mcp-get-server-info", {"serverName": "dead"})
    assert (info.status, info.body["error"]["isTerminal"]) == (503, False)


async def test_a_secret_header_reaches_the_server_and_nobody_else(
    org: Organization, toolbox: ToolboxControl
) -> None:
    secret = f"Bearer {uuid.uuid4().hex}"
    registered = await org.register(headers={"Authorization": secret})
    assert registered.body["server"]["headerNames"] == ["Authorization"]
    assert secret not in str(registered.body)
    await org.tool("add", a=1, b=1)
    (called,) = await toolbox.calls("add")
    assert called.headers["authorization"] == secret
    listed = await org.call("mcp-list-available-servers", {}, token=org.owner)
    assert secret not in str(listed.body)
    stored = org.stack.processes.options.data_path
    holding = [path for path in stored.rglob("*") if _holds(path, secret.encode())]
    assert holding == []


def _holds(path: Path, text: bytes) -> bool:
    return path.is_file() and text in path.read_bytes()


async def test_a_server_registered_again_is_replaced(org: Organization) -> None:
    await org.register(description="first", headers={"x-key": "1"})
    await org.register(description="second")
    (server,) = (await org.call("mcp-list-available-servers", {})).body["servers"]
    assert server["description"] == "second"
    assert server["headerNames"] == []


async def test_a_removed_server_is_gone(org: Organization) -> None:
    await org.register()
    body = {"serverName": "toolbox"}
    removed = await org.call("mcp-remove-server", body, token=org.owner)
    assert removed.body == {"removed": True}
    again = await org.call("mcp-remove-server", body, token=org.owner)
    assert (again.status, again.body["error"]["details"]["reason"]) == (404, "mcp_server.not_found")
    assert (await org.tool("add", a=1, b=1)).status == 404


async def test_members_use_servers_and_do_not_manage_them(org: Organization) -> None:
    body = {"serverName": "toolbox", "url": toolbox_url(org.stack)}
    assert (await org.call("mcp-register-server", body)).status == 403
    assert (await org.call("mcp-remove-server", {"serverName": "toolbox"})).status == 403


async def test_a_server_of_another_organization_is_as_if_it_never_was(org: Organization) -> None:
    await org.register()
    stranger = await org.stack.token(sub="max", tenant_id="elsewhere", role="owner")
    for method, more in (
        ("mcp-get-server-info", {}),
        ("mcp-list-tools", {}),
        ("mcp-call-tool", {"toolName": "add"}),
        ("mcp-list-resources", {}),
        ("mcp-read-resource", {"uri": "file:///readme"}),
        ("mcp-list-prompts", {}),
        ("mcp-get-prompt", {"promptName": "greet"}),
        ("mcp-remove-server", {}),
    ):
        answers = [
            await org.call(method, {"serverName": name} | more, token=stranger)
            for name in ("toolbox", "never-was")
        ]
        assert answers[0].status == 404, method
        for answer in answers:
            answer.body["error"].pop("requestId", None)
            answer.body["error"]["details"].pop("requestId", None)
        assert answers[0].body == answers[1].body


@pytest.mark.parametrize(
    "url",
    [
        "http://tools.example.com/mcp",
        "https://10.1.2.3/mcp",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/mcp",
        "https://0x7f000001/mcp",
        "https://user:password@tools.example.com/mcp",
        "ftp://tools.example.com/mcp",
        "not a url",
    ],
)
async def test_a_server_at_an_address_that_is_not_public_is_refused(
    org: Organization, url: str
) -> None:
    refused = await org.register(url=url)
    if refused.status == 200:  # a name, which is judged when it is called
        info = await org.call("mcp-get-server-info", {"serverName": "toolbox"})
        assert info.status in (400, 503)
        return
    assert refused.status == 400
    (violation,) = refused.body["error"]["details"]["fieldViolations"]
    assert violation["field"].lower().endswith("url")


@pytest.mark.parametrize(
    "registration",
    [
        {"serverName": "Has Capitals"},
        {"headers": {"host": "x"}},
        {"headers": {"mcp-session-id": "x"}},
        {"headers": {"x y": "x"}},
        {"headers": {"x": "two\nlines"}},
        {"timeout": "0.5s"},
        {"timeout": "601s"},
        {"effect": "HARMLESS"},
        {"toolRules": [{"effect": "READ"}]},
    ],
)
async def test_a_registration_that_makes_no_sense_is_refused(
    org: Organization, registration: dict[str, Any]
) -> None:
    refused = await org.register(**registration)
    assert refused.status == 400
    assert refused.body["error"]["details"]["reason"] == "request.invalid"


async def test_a_tool_that_is_not_on_the_allow_list_is_not_there(org: Organization) -> None:
    await org.register(allowedTools=["add"])
    tools = (await org.call("mcp-list-tools", {"serverName": "toolbox"})).body["tools"]
    assert [tool["name"] for tool in tools] == ["add"]
    refused = await org.tool("note", text="x")
    assert (refused.status, refused.body["error"]["code"]) == (404, "TOOL_NOT_FOUND")


async def test_the_effect_of_a_tool_follows_rule_then_trusted_hint_then_server(
    org: Organization,
) -> None:
    rules = [{"toolName": "add", "effect": "IDEMPOTENT", "approval": "ALWAYS"}]
    await org.register(toolRules=rules, trustAnnotations=True, approval="NEVER")
    tools = (await org.call("mcp-list-tools", {"serverName": "toolbox"})).body["tools"]
    decided = {tool["name"]: (tool["effect"], tool["approval"]) for tool in tools}
    assert decided["add"] == ("IDEMPOTENT", "ALWAYS")
    assert decided["weather"] == ("READ", "NEVER")
    assert decided["remember"] == ("IDEMPOTENT", "NEVER")
    assert decided["note"] == ("DANGEROUS", "NEVER")


async def test_a_tool_whose_schema_is_not_json_schema_is_marked(
    org: Organization, toolbox: ToolboxControl
) -> None:
    await org.register()
    broken = {"type": "object", "properties": {"a": {"type": "no-such-type"}}}
    await toolbox.set_schemas({"add": broken, "note": {"type": "object", "required": "text"}})
    tools = (await org.call("mcp-list-tools", {"serverName": "toolbox"})).body["tools"]
    problems = {tool["name"]: tool.get("problem", "") for tool in tools}
    assert problems["add"]
    assert problems["note"]
    assert not problems["weather"]


async def test_a_tool_that_fails_answers_with_its_own_words(org: Organization) -> None:
    await org.register()
    failed = await org.tool("fail", message="out of paper")
    assert (failed.status, failed.body["status"]) == (200, "FAILED")
    assert failed.body["result"]["content"][0]["text"] == "out of paper"


async def test_a_repeated_call_with_the_same_key_is_made_once(
    org: Organization, toolbox: ToolboxControl
) -> None:
    await org.register()
    key = {"idempotency-key": uuid.uuid4().hex}
    body = {"serverName": "toolbox", "toolName": "note", "arguments": {"text": "once"}}
    answers = [
        await org.stack.call(f"{GATEWAY}/mcp-call-tool", body, token=org.member, headers=key)
        for _ in range(2)
    ]
    assert answers[0].body == answers[1].body
    assert len(await toolbox.calls("note")) == 1
