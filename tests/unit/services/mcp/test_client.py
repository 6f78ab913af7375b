"""What a client of tool servers hears of every kind of server, over real sockets."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chassis.addresses import OutgoingAddresses
from devstack.processes import Command, Process, accepts_connections, free_port
from errors import Code, Reason, RpcError
from services.mcp import reasons
from services.mcp.client import McpClient, Server
from services.mcp.contract.tools import ToolStatus
from services.mcp.reasons import NEVER_CALLED
from tests.support.repository import ROOT
from tests.support.toolbox import (
    LOOPBACK,
    RunningToolbox,
    http,
    raw_server,
    running_toolbox,
    tool_client,
)
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EVERYTHING = ROOT / ".cache/node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
_JSON = "content-type: application/json"


@pytest.fixture
async def toolbox() -> AsyncIterator[RunningToolbox]:
    async with running_toolbox() as toolbox:
        yield toolbox


@pytest.fixture
async def client() -> AsyncIterator[McpClient]:
    async with tool_client() as client:
        yield client


@pytest.fixture
def server(toolbox: RunningToolbox) -> Server:
    return Server("toolbox", toolbox.url, {"x-api-key": "a secret"})


async def refused(
    client: McpClient, url: str, *, seconds: float = 20, headers: dict[str, str] | None = None
) -> RpcError:
    """Why a tool of a server cannot be called."""
    with pytest.raises(RpcError) as failed:
        await client.call_tool(Server("server", url, headers or {}, seconds), "add", {"a": 1})
    return failed.value


async def test_a_server_of_the_new_protocol_is_spoken_to_without_a_session(
    client: McpClient, server: Server
) -> None:
    info = await client.info(server)
    assert (info.protocol_version, info.name) == ("2026-07-28", "toolbox")
    assert set(info.capabilities or {}) == {"tools", "resources", "prompts"}


async def test_tools_are_listed_with_their_schemas(client: McpClient, server: Server) -> None:
    tools = {tool.name: tool for tool in await client.list_tools(server)}
    assert tools["add"].description == "Adds two numbers."
    assert (tools["add"].input_schema or {})["required"] == ["a", "b"]
    assert (tools["add"].annotations or {})["readOnlyHint"] is True


async def test_a_tool_answers_with_text_and_structure(client: McpClient, server: Server) -> None:
    result, status = await client.call_tool(server, "add", {"a": 20, "b": 22})
    assert status is ToolStatus.SUCCEEDED
    assert result.structured_content == {"sum": 42}
    assert [piece.text for piece in result.content] == ['{"sum": 42}']


async def test_a_tool_that_fails_is_no_failure_of_the_call(
    client: McpClient, server: Server
) -> None:
    result, status = await client.call_tool(server, "fail", {"message": "out of paper"})
    assert status is ToolStatus.FAILED
    assert [piece.text for piece in result.content] == ["out of paper"]


async def test_every_request_carries_the_headers_of_the_registration(
    client: McpClient, server: Server, toolbox: RunningToolbox
) -> None:
    await client.call_tool(server, "add", {"a": 1, "b": 1})
    assert toolbox.tools.calls[0].headers["x-api-key"] == "a secret"


async def test_resources_and_prompts_are_read(client: McpClient, server: Server) -> None:
    (readme,), following = await client.list_resources(server, "")
    assert following == ""
    (held,) = await client.read_resource(server, readme.uri)
    assert held.text.startswith("The toolbox")
    (greet,), _ = await client.list_prompts(server, "")
    assert [argument.required for argument in greet.arguments] == [True]
    _, (message,) = await client.get_prompt(server, greet.name, {"name": "Ann"})
    assert message.content is not None
    assert message.content.text == "Greet Ann."


async def test_sixteen_calls_share_a_connection_and_none_waits_for_another(
    client: McpClient, server: Server, toolbox: RunningToolbox
) -> None:
    calls = [
        asyncio.create_task(client.call_tool(server, "wait", {"gate": "g"})) for _ in range(16)
    ]
    await until(lambda: len(toolbox.tools.calls) == 16)
    toolbox.tools.release("g")
    assert {status for _, status in await asyncio.gather(*calls)} == {ToolStatus.SUCCEEDED}


async def test_what_the_server_does_not_know_is_refused_and_was_never_done(
    client: McpClient, server: Server
) -> None:
    with pytest.raises(RpcError) as failed:
        await client.call_tool(server, "no-such-tool", {})
    assert failed.value.reason == reasons.REFUSED.word
    assert failed.value.reason in NEVER_CALLED


async def test_a_tool_that_returns_50_mb_is_cut_off(client: McpClient, server: Server) -> None:
    with pytest.raises(RpcError) as failed:
        await client.call_tool(server, "produce", {"bytes": 50_000_000})
    assert failed.value.reason == reasons.ANSWER_TOO_LARGE.word
    assert failed.value.is_terminal
    # The connection was given up, and the next call has a new one.
    _, status = await client.call_tool(server, "add", {"a": 1, "b": 1})
    assert status is ToolStatus.SUCCEEDED


async def test_a_packed_answer_is_not_unpacked(client: McpClient) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, b"{}", _JSON, "content-encoding: gzip"))

    async with raw_server(answer) as url:
        assert (await refused(client, url)).reason == reasons.GARBAGE.word


async def test_a_tool_that_hangs_is_given_up_in_time(
    client: McpClient, toolbox: RunningToolbox
) -> None:
    impatient = Server("toolbox", toolbox.url, {}, 0.3)
    await client.info(Server("toolbox", toolbox.url))
    with pytest.raises(RpcError) as failed:
        await client.call_tool(impatient, "wait", {"gate": "never"})
    assert failed.value.code is Code.DEADLINE_EXCEEDED
    assert failed.value.reason == reasons.TIMED_OUT.word
    assert failed.value.reason not in NEVER_CALLED


async def test_one_call_that_fails_takes_no_other_with_it(
    client: McpClient, server: Server, toolbox: RunningToolbox
) -> None:
    waiting = asyncio.create_task(client.call_tool(server, "wait", {"gate": "g"}))
    await until(lambda: bool(toolbox.tools.calls))
    with pytest.raises(RpcError):
        await client.call_tool(server, "produce", {"bytes": 50_000_000})
    toolbox.tools.release("g")
    _, status = await waiting
    assert status is ToolStatus.SUCCEEDED


async def test_a_server_that_cuts_the_connection_leaves_the_outcome_open(
    client: McpClient,
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 900\r\n")
        writer.write(b'\r\n{"jsonrpc": "2.0", "id"')

    async with raw_server(answer) as url:
        error = await refused(client, url)
    assert error.reason == reasons.CUT.word
    assert error.reason not in NEVER_CALLED


@pytest.mark.parametrize(
    "garbage",
    [
        http(200, b"<html>It works!</html>", "content-type: text/html"),
        http(200, b"[]", _JSON),
        http(200, bytes(range(128, 256)), _JSON),
        http(200, b'{"jsonrpc": "2.0", "id": 1, "result": 7}', _JSON),
        http(200, b"data: nonsense\n\n", "content-type: text/event-stream"),
    ],
)
async def test_garbage_is_an_error_of_the_server(client: McpClient, garbage: bytes) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)

    async with raw_server(answer) as url:
        error = await refused(client, url)
    assert error.code in (Code.UPSTREAM_ERROR, Code.FAILED_PRECONDITION)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, reasons.CREDENTIALS_REFUSED),
        (403, reasons.CREDENTIALS_REFUSED),
        (429, reasons.RATE_LIMITED),
        (500, reasons.FAILED),
        (503, reasons.UNREACHABLE),
    ],
)
async def test_a_status_says_what_is_wrong(client: McpClient, status: int, reason: Reason) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status, b"token=sk_live_123456789 is wrong", "retry-after: 7"))

    async with raw_server(answer) as url:
        error = await refused(client, url)
    assert error.reason == reason.word
    assert error.details.upstream_error is not None
    assert error.details.upstream_error.status_code == status
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 7


async def test_a_server_that_is_down_was_never_called(client: McpClient) -> None:
    error = await refused(client, f"http://127.0.0.1:{free_port()}/mcp")
    assert error.reason == reasons.UNREACHABLE.word
    assert error.reason in NEVER_CALLED


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.7/mcp",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/mcp",
        "https://localhost/mcp",
        "http://127.0.0.1:9/mcp",
    ],
)
async def test_an_address_that_is_not_public_is_not_called(url: str) -> None:
    async with tool_client(OutgoingAddresses()) as client:
        error = await refused(client, url)
    assert error.reason == reasons.ADDRESS_REFUSED.word


async def test_a_name_that_changes_its_mind_reaches_nothing_else(
    toolbox: RunningToolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public when it is registered, and private when it is called."""

    async def rebound(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", ("127.0.0.1", 443))]

    async with tool_client(OutgoingAddresses()) as client:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", rebound, raising=False)
        error = await refused(client, "https://tools.example/mcp")
    assert error.reason == reasons.ADDRESS_REFUSED.word
    assert toolbox.tools.calls == []


async def test_a_redirect_leads_nowhere(client: McpClient, toolbox: RunningToolbox) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(http(307, b"", f"location: {toolbox.url}"))

    async with raw_server(answer) as url:
        error = await refused(client, url)
    assert error.reason == reasons.REDIRECTED.word
    assert toolbox.tools.calls == []


async def test_connections_that_nobody_uses_are_closed(toolbox: RunningToolbox) -> None:
    async with tool_client(LOOPBACK, idle_seconds=0.05) as client:
        server = Server("toolbox", toolbox.url)
        await client.info(server)
        await until(lambda: not client.open_connections)
        await client.info(server)


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[str]:
    """The reference server of the protocol's own project, over HTTP."""
    node = shutil.which("node")
    if node is None or not EVERYTHING.exists():
        pytest.skip("server-everything needs node and `make setup`")
    port = free_port()
    process = Process(
        Command(
            "everything",
            (node, str(EVERYTHING), "streamableHttp"),
            tmp_path / "everything.log",
            {"PORT": str(port)},
            (port,),
        )
    )
    process.start()
    try:
        process.wait_ready(lambda: accepts_connections(port), 60)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.stop(3)


async def test_the_protocols_own_server_is_understood(client: McpClient, everything: str) -> None:
    """It speaks the older protocol: a handshake, a session, and event streams."""
    server = Server("everything", everything)
    info = await client.info(server)
    assert info.protocol_version < "2026"
    names = {tool.name for tool in await client.list_tools(server)}
    assert {"echo", "get-sum"} <= names
    result, status = await client.call_tool(server, "echo", {"message": "hello"})
    assert status is ToolStatus.SUCCEEDED
    assert "hello" in result.content[0].text
    image, _ = await client.call_tool(server, "get-tiny-image", {})
    (picture,) = [piece for piece in image.content if piece.type == "image"]
    assert base64.b64encode(picture.data).startswith(b"iVBOR")
    resources, _ = await client.list_resources(server, "")
    assert await client.read_resource(server, resources[0].uri)
    prompts, _ = await client.list_prompts(server, "")
    assert prompts
