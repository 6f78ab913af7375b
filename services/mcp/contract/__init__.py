"""What MCPService offers: register tool servers, look at what they have, call their tools."""

from datetime import timedelta

from pydantic import Field

from chassis.message import Message, Struct
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import (
    McpPrompt,
    McpResource,
    McpServer,
    McpTool,
    PromptMessage,
    Registration,
    ServerInfo,
    ServerName,
    Timing,
    ToolContent,
    ToolName,
    ToolResult,
    ToolStatus,
)
from services.mcp.reasons import (
    CALL_REASONS,
    SERVER_NOT_FOUND,
    SERVER_REASONS,
    TOO_MANY_SERVERS,
)

__all__ = ["CALL_REASONS", "SERVER_NOT_FOUND", "SERVER_REASONS", "TOO_MANY_SERVERS"]


class RegisterRequest(Message):
    """Register a server, or replace what was registered under its name."""

    tenant_id: str
    registered_by: str
    registration: Registration


class ServerRequest(Message):
    """One server of a tenant."""

    tenant_id: str
    server_name: str


class ServerResponse(Message):
    """The server as it is registered."""

    server: McpServer | None = None


class RemoveResponse(Message):
    """Whether there was one."""

    removed: bool = False


class ListServersRequest(Message):
    """All servers of a tenant."""

    tenant_id: str


class ListServersResponse(Message):
    """Servers by name. One that does not answer is marked, and the others are there all the
    same."""

    servers: list[McpServer] = Field(default_factory=list[McpServer])


class ListToolsResponse(Message):
    """The tools that may be used, in the server's order."""

    tools: list[McpTool] = Field(default_factory=list[McpTool])


class CallToolRequest(Message):
    """One call, outside any conversation."""

    tenant_id: str
    server_name: ServerName
    tool_name: ToolName
    arguments: Struct | None = None


class CallToolResponse(Message):
    """What the tool answered, how it went, and how long it took."""

    result: ToolResult | None = None
    status: ToolStatus = ToolStatus.TOOL_STATUS_UNSPECIFIED
    timing: Timing | None = None


class OfferRequest(Message):
    """The tools that a thread allows: `*`, a server's name, or `server/tool`."""

    tenant_id: str
    allowed: list[str] = Field(default_factory=list[str])


class OfferedTool(Message):
    """A tool under the name by which a model calls it."""

    name: str
    server_name: str
    tool: McpTool


class OfferResponse(Message):
    """What a model may be offered: at most 128 tools, in a stable order.

    servers: those of the tools, as they are registered, with sealed secrets.
    unavailable: servers that did not answer; their tools are not among these.
    """

    tools: list[OfferedTool] = Field(default_factory=list[OfferedTool])
    servers: list[ServerRecord] = Field(default_factory=list[ServerRecord])
    unavailable: list[str] = Field(default_factory=list[str])


class PageRequest(Message):
    """A page of what a server lists; the token is the server's own."""

    tenant_id: str
    server_name: str
    page_token: str = ""


class ListResourcesResponse(Message):
    """Resources in the server's order."""

    resources: list[McpResource] = Field(default_factory=list[McpResource])
    next_page_token: str = ""


class ReadResourceRequest(Message):
    """One resource."""

    tenant_id: str
    server_name: str
    uri: str


class ReadResourceResponse(Message):
    """What the resource holds."""

    contents: list[ToolContent] = Field(default_factory=list[ToolContent])


class ListPromptsResponse(Message):
    """Prompts in the server's order."""

    prompts: list[McpPrompt] = Field(default_factory=list[McpPrompt])
    next_page_token: str = ""


class GetPromptRequest(Message):
    """One prompt with its arguments filled in."""

    tenant_id: str
    server_name: str
    prompt_name: str
    arguments: dict[str, str] = Field(default_factory=dict[str, str])


class GetPromptResponse(Message):
    """The prompt's messages."""

    description: str = ""
    messages: list[PromptMessage] = Field(default_factory=list[PromptMessage])


# A little more than the longest timeout that a server can be registered with.
LONGEST_CALL = timedelta(seconds=630)

component = Component(
    name="MCPService", kind=Kind.SERVICE, retries=REQUEST, longest_step=LONGEST_CALL
)

register = component.rpc("Register", RegisterRequest, ServerResponse, errors=(TOO_MANY_SERVERS,))
remove = component.rpc("Remove", ServerRequest, RemoveResponse, errors=(SERVER_NOT_FOUND,))
list_servers = component.rpc("ListServers", ListServersRequest, ListServersResponse)
get_info = component.rpc("GetInfo", ServerRequest, ServerInfo, errors=SERVER_REASONS)
offer = component.rpc("Offer", OfferRequest, OfferResponse)
list_tools = component.rpc("ListTools", ServerRequest, ListToolsResponse, errors=SERVER_REASONS)
call_tool = component.rpc("CallTool", CallToolRequest, CallToolResponse, errors=CALL_REASONS)
list_resources = component.rpc(
    "ListResources", PageRequest, ListResourcesResponse, errors=SERVER_REASONS
)
read_resource = component.rpc(
    "ReadResource", ReadResourceRequest, ReadResourceResponse, errors=SERVER_REASONS
)
list_prompts = component.rpc("ListPrompts", PageRequest, ListPromptsResponse, errors=SERVER_REASONS)
get_prompt = component.rpc("GetPrompt", GetPromptRequest, GetPromptResponse, errors=SERVER_REASONS)
