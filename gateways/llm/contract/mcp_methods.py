"""The methods about tool servers."""

from datetime import timedelta

from chassis.rpc import Effect
from chassis.sealing import SEALING_NOT_CONFIGURED
from gateways.llm.contract.component import component
from gateways.llm.contract.mcp import (
    McpCallToolRequest,
    McpGetPromptRequest,
    McpListAvailableServersRequest,
    McpPageRequest,
    McpReadResourceRequest,
    McpServerRequest,
)
from services.mcp.contract import (
    CALL_REASONS,
    SERVER_NOT_FOUND,
    SERVER_REASONS,
    TOO_MANY_SERVERS,
    CallToolResponse,
    GetPromptResponse,
    ListPromptsResponse,
    ListResourcesResponse,
    ListServersResponse,
    ListToolsResponse,
    ReadResourceResponse,
    RemoveResponse,
    ServerResponse,
)
from services.mcp.contract.tools import Registration, ServerInfo

MCP_READ, MCP_WRITE, MCP_MANAGE = "mcp:read", "mcp:write", "mcp:manage"

mcp_list_available_servers = component.public(
    "McpListAvailableServers",
    McpListAvailableServersRequest,
    ListServersResponse,
    scope=MCP_READ,
    effect=Effect.READ,
)
mcp_get_server_info = component.public(
    "McpGetServerInfo",
    McpServerRequest,
    ServerInfo,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_list_tools = component.public(
    "McpListTools",
    McpServerRequest,
    ListToolsResponse,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_call_tool = component.public(
    "McpCallTool",
    McpCallToolRequest,
    CallToolResponse,
    scope=MCP_WRITE,
    effect=Effect.COMMAND,
    errors=CALL_REASONS,
    # As long as a server is waited for that was registered without a timeout of its own.
    deadline=timedelta(seconds=65),
)
mcp_list_resources = component.public(
    "McpListResources",
    McpPageRequest,
    ListResourcesResponse,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_read_resource = component.public(
    "McpReadResource",
    McpReadResourceRequest,
    ReadResourceResponse,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_list_prompts = component.public(
    "McpListPrompts",
    McpPageRequest,
    ListPromptsResponse,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_get_prompt = component.public(
    "McpGetPrompt",
    McpGetPromptRequest,
    GetPromptResponse,
    scope=MCP_READ,
    effect=Effect.READ,
    errors=SERVER_REASONS,
)
mcp_register_server = component.public(
    "McpRegisterServer",
    Registration,
    ServerResponse,
    scope=MCP_MANAGE,
    effect=Effect.COMMAND,
    errors=(TOO_MANY_SERVERS, SEALING_NOT_CONFIGURED),
)
mcp_remove_server = component.public(
    "McpRemoveServer",
    McpServerRequest,
    RemoveResponse,
    scope=MCP_MANAGE,
    effect=Effect.COMMAND,
    errors=(SERVER_NOT_FOUND,),
)
