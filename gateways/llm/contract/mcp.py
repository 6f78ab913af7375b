"""Requests about tool servers. Answers are made of the nouns of MCPService's contract."""

from typing import Annotated

from pydantic import Field

from chassis.message import Message, Struct
from services.mcp.contract.tools import ServerName, ToolName


class McpListAvailableServersRequest(Message):
    """All of the organization's."""


class McpServerRequest(Message):
    """Which server."""

    server_name: ServerName


class McpCallToolRequest(Message):
    """A call of a tool, outside any conversation."""

    server_name: ServerName
    tool_name: ToolName
    arguments: Struct | None = None


class McpPageRequest(Message):
    """A page of what a server lists, in the server's own size."""

    server_name: ServerName
    page_token: str = Field(default="", max_length=1024)


class McpReadResourceRequest(Message):
    """Which resource, by its address."""

    server_name: ServerName
    uri: str = Field(min_length=1, max_length=2048)


class McpGetPromptRequest(Message):
    """Which prompt, and what to fill in."""

    server_name: ServerName
    prompt_name: str = Field(min_length=1, max_length=128)
    arguments: dict[str, Annotated[str, Field(max_length=10_000)]] = Field(
        default_factory=dict[str, str], max_length=32
    )
