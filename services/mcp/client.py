"""A client of tool servers, usable from any shell.

    client = McpClient(OutgoingAddresses(), McpSettings())
    server = Server("demo", "https://tools.example/mcp")
    await client.list_tools(server)

Connections are kept per server and headers, because opening one costs ten times a call. A
connection that failed is not used again, and nothing is tried twice: that belongs to the caller.
Every failure is an RpcError with a reason of reasons.py.
"""

import asyncio
import base64
import importlib
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from chassis.addresses import OutgoingAddresses
from errors import RpcError
from services.mcp import reasons
from services.mcp.contract.tools import (
    McpPrompt,
    McpResource,
    McpTool,
    PromptArgument,
    PromptMessage,
    ServerInfo,
    ToolContent,
    ToolResult,
    ToolStatus,
)
from services.mcp.settings import McpSettings

if TYPE_CHECKING:
    from services.mcp.protocol import Connection

T = TypeVar("T")

MOST_TOOLS = 1000
_PROTOCOL = "services.mcp.protocol"
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server stands and what every request to it carries."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_seconds: float = 60.0

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """Two servers with the same one may share a connection."""
        return self.url, frozenset(self.headers.items())


@dataclass(slots=True)
class _Kept:
    connection: "Connection"
    used_at: float = 0.0
    users: int = 0
    failed: bool = False


class McpClient:
    """Connections of one process to tool servers. Close with `aclose`."""

    def __init__(self, addresses: OutgoingAddresses, settings: McpSettings) -> None:
        self._addresses = addresses
        self._settings = settings
        self._kept: dict[object, _Kept] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def open_connections(self) -> int:
        """How many servers are connected now."""
        return len(self._kept)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        kept = list(self._kept.values())
        self._kept.clear()
        await asyncio.gather(*(each.connection.closed() for each in kept))

    async def info(self, server: Server, *, seconds: float | None = None) -> ServerInfo:
        """What the server says about itself."""

        async def look(client: Any) -> ServerInfo:
            said = client.server_info
            return ServerInfo(
                protocol_version=client.protocol_version,
                name=said.name if said else "",
                title=(said.title if said else "") or "",
                version=said.version if said else "",
                instructions=client.instructions or "",
                capabilities=_dumped(client.server_capabilities),
            )

        return await self._use(server, look, seconds)

    async def list_tools(self, server: Server, *, seconds: float | None = None) -> list[McpTool]:
        """All tools, in the server's order; at most a thousand."""

        async def look(client: Any) -> list[McpTool]:
            tools, cursor = list[McpTool](), None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools += map(_tool, page.tools)
                cursor = page.next_cursor
                if not cursor or len(tools) >= MOST_TOOLS:
                    break
            return tools[:MOST_TOOLS]

        return await self._use(server, look, seconds)

    async def call_tool(
        self, server: Server, name: str, arguments: dict[str, Any]
    ) -> tuple[ToolResult, ToolStatus]:
        """Call a tool once."""

        async def call(client: Any) -> tuple[ToolResult, ToolStatus]:
            answer = await (await _protocol()).call_tool(client, name, arguments)
            result = ToolResult(
                content=list(map(_content, answer.content)),
                structured_content=answer.structured_content,
            )
            return result, ToolStatus.FAILED if answer.is_error else ToolStatus.SUCCEEDED

        return await self._use(server, call)

    async def list_resources(self, server: Server, cursor: str) -> tuple[list[McpResource], str]:
        """A page of resources, and where the next one begins."""

        async def look(client: Any) -> tuple[list[McpResource], str]:
            page = await client.list_resources(cursor=cursor or None)
            return list(map(_resource, page.resources)), page.next_cursor or ""

        return await self._use(server, look)

    async def read_resource(self, server: Server, uri: str) -> list[ToolContent]:
        """What a resource holds."""

        async def read(client: Any) -> list[ToolContent]:
            answer = await client.read_resource(uri)
            return list(map(_held, answer.contents))

        return await self._use(server, read)

    async def list_prompts(self, server: Server, cursor: str) -> tuple[list[McpPrompt], str]:
        """A page of prompts, and where the next one begins."""

        async def look(client: Any) -> tuple[list[McpPrompt], str]:
            page = await client.list_prompts(cursor=cursor or None)
            return list(map(_prompt, page.prompts)), page.next_cursor or ""

        return await self._use(server, look)

    async def get_prompt(
        self, server: Server, name: str, arguments: dict[str, str]
    ) -> tuple[str, list[PromptMessage]]:
        """A prompt's description and messages."""

        async def read(client: Any) -> tuple[str, list[PromptMessage]]:
            answer = await client.get_prompt(name, arguments)
            messages = [
                PromptMessage(role=message.role, content=_content(message.content))
                for message in answer.messages
            ]
            return answer.description or "", messages

        return await self._use(server, read)

    async def _use(
        self, server: Server, work: Callable[[Any], Awaitable[T]], seconds: float | None = None
    ) -> T:
        kept = await self._connection(server)
        kept.users += 1
        try:
            return await kept.connection.use(work, seconds or server.timeout_seconds)
        except RpcError as failed:
            kept.failed = kept.failed or failed.reason != reasons.REFUSED.word
            raise
        finally:
            kept.users -= 1
            kept.used_at = time.monotonic()
            if kept.failed:
                self._drop(server, kept)

    async def _connection(self, server: Server) -> _Kept:
        protocol = await _protocol()
        kept = self._kept.get(server.identity)
        if kept is None or not kept.connection.usable:
            connection = protocol.Connection(
                server.name, server.url, dict(server.headers), self._addresses, self._settings
            )
            kept = self._kept[server.identity] = _Kept(connection, time.monotonic())
            self._sweep_later()
        return kept

    def _drop(self, server: Server, kept: _Kept) -> None:
        """Use the connection no more; those who wait on it may finish."""
        if self._kept.get(server.identity) is kept:
            del self._kept[server.identity]
        if not kept.users:
            kept.connection.close()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._settings.idle_seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        oldest = time.monotonic() - self._settings.idle_seconds
        for identity, kept in list(self._kept.items()):
            if not kept.users and kept.used_at <= oldest:
                del self._kept[identity]
                kept.connection.close()
        if self._kept:
            self._sweep_later()


async def _protocol() -> Any:
    """The protocol's library with what stands on it, read in a thread the first time."""
    loaded = sys.modules.get(_PROTOCOL)
    if loaded is not None and getattr(loaded, "call_tool", None) is not None:
        return loaded
    return await asyncio.to_thread(importlib.import_module, _PROTOCOL)


def _tool(tool: Any) -> McpTool:
    return McpTool(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=_dumped(tool.annotations) if tool.annotations else None,
    )


def _content(block: Any) -> ToolContent:
    if block.type == "text":
        return ToolContent(type="text", text=block.text)
    if block.type in ("image", "audio"):
        return ToolContent(type=block.type, data=_decoded(block.data), mime_type=block.mime_type)
    if block.type == "resource_link":
        return ToolContent(
            type="resource_link",
            uri=str(block.uri),
            name=block.name,
            mime_type=block.mime_type or "",
        )
    return _held(block.resource)


def _held(held: Any) -> ToolContent:
    """The contents of a resource: text or bytes."""
    text = getattr(held, "text", None)
    return ToolContent(
        type="resource",
        uri=str(held.uri),
        mime_type=held.mime_type or "",
        text=text or "",
        data=b"" if text is not None else _decoded(held.blob),
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise reasons.GARBAGE.error() from None


def _resource(resource: Any) -> McpResource:
    return McpResource(
        uri=str(resource.uri),
        name=resource.name,
        title=resource.title or "",
        description=resource.description or "",
        mime_type=resource.mime_type or "",
    )


def _prompt(prompt: Any) -> McpPrompt:
    return McpPrompt(
        name=prompt.name,
        title=prompt.title or "",
        description=prompt.description or "",
        arguments=[
            PromptArgument(
                name=argument.name,
                description=argument.description or "",
                required=bool(argument.required),
            )
            for argument in prompt.arguments or ()
        ],
    )


def _dumped(model: Any) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
