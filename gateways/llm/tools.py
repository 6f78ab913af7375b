"""Tools: what a model waits for, and the organization's servers. One call down each."""

from restate import Context

from actors.conversation import contract as conversation
from actors.conversation.contract.tools import (
    GetToolResultRequest,
    GetToolResultResponse,
    ResolveApprovalRequest,
    ResolveApprovalResponse,
)
from chassis.calls import call
from chassis.identity import Caller
from chassis.serve import implements
from gateways.llm import contract
from gateways.llm.contract import (
    McpCallToolRequest,
    McpGetPromptRequest,
    McpListAvailableServersRequest,
    McpPageRequest,
    McpReadResourceRequest,
    McpServerRequest,
    PublicGetToolResultRequest,
    PublicResolveToolApprovalRequest,
)
from services.mcp import contract as mcp
from services.mcp.contract import (
    CallToolRequest,
    CallToolResponse,
    GetPromptRequest,
    GetPromptResponse,
    ListPromptsResponse,
    ListResourcesResponse,
    ListServersRequest,
    ListServersResponse,
    ListToolsResponse,
    PageRequest,
    ReadResourceRequest,
    ReadResourceResponse,
    RegisterRequest,
    RemoveResponse,
    ServerRequest,
    ServerResponse,
)
from services.mcp.contract.tools import Registration, ServerInfo


class McpGateway:
    """The methods of tools and their servers."""

    @implements(contract.resolve_tool_approval)
    async def resolve_tool_approval(
        self, ctx: Context, request: PublicResolveToolApprovalRequest
    ) -> ResolveApprovalResponse:
        """Approve or deny a call that a run's model asks for; the run goes on.

        Only the user of the thread decides. `arguments` replace the model's and have to fit the
        tool's schema. The same word said twice is answered like the first; another word, or one
        after the deadline, is refused, because the run has gone on.
        """
        asked = ResolveApprovalRequest(
            approval_id=request.approval_id,
            decision=request.decision,
            reason=request.reason,
            arguments=request.arguments,
        )
        key = Caller.from_headers(ctx.request().headers).key(request.conversation_key)
        return await call(ctx, conversation.resolve_tool_approval, asked, key=key)

    @implements(contract.get_tool_result)
    async def get_tool_result(
        self, ctx: Context, request: PublicGetToolResultRequest
    ) -> GetToolResultResponse:
        """Read the whole result of a call whose message has a `resultId`."""
        asked = GetToolResultRequest(result_id=request.result_id)
        key = Caller.from_headers(ctx.request().headers).key(request.conversation_key)
        return await call(ctx, conversation.get_tool_result, asked, key=key)

    @implements(contract.mcp_list_available_servers)
    async def mcp_list_available_servers(
        self, ctx: Context, request: McpListAvailableServersRequest
    ) -> ListServersResponse:
        """List the organization's tool servers.

        Each is asked whether it is there. One that does not answer within five seconds is
        `UNAVAILABLE`, with the reason; the others are listed all the same.
        """
        asked = ListServersRequest(tenant_id=_tenant(ctx))
        return await call(ctx, mcp.list_servers, asked)

    @implements(contract.mcp_get_server_info)
    async def mcp_get_server_info(self, ctx: Context, request: McpServerRequest) -> ServerInfo:
        """Read what a tool server says about itself: version, instructions, capabilities."""
        return await call(ctx, mcp.get_info, _server(ctx, request))

    @implements(contract.mcp_list_tools)
    async def mcp_list_tools(self, ctx: Context, request: McpServerRequest) -> ListToolsResponse:
        """List the tools of a server that may be used.

        Each has its name, its description and the JSON Schema of its input, and what was decided
        about it: its effect, and whether a person has to approve what a model asks of it.
        """
        return await call(ctx, mcp.list_tools, _server(ctx, request))

    @implements(contract.mcp_call_tool)
    async def mcp_call_tool(self, ctx: Context, request: McpCallToolRequest) -> CallToolResponse:
        """Call a tool, outside any conversation.

        `status` is `FAILED` when the tool itself says so; `result` then has its words. A tool
        that is not known to be safe to repeat is called once at most: where its answer was lost,
        `tool.outcome_unknown` says so.
        """
        asked = CallToolRequest(
            tenant_id=_tenant(ctx),
            server_name=request.server_name,
            tool_name=request.tool_name,
            arguments=request.arguments,
        )
        return await call(ctx, mcp.call_tool, asked)

    @implements(contract.mcp_list_resources)
    async def mcp_list_resources(
        self, ctx: Context, request: McpPageRequest
    ) -> ListResourcesResponse:
        """List the resources of a tool server."""
        return await call(ctx, mcp.list_resources, _page(ctx, request))

    @implements(contract.mcp_read_resource)
    async def mcp_read_resource(
        self, ctx: Context, request: McpReadResourceRequest
    ) -> ReadResourceResponse:
        """Read a resource of a tool server."""
        asked = ReadResourceRequest(
            tenant_id=_tenant(ctx), server_name=request.server_name, uri=request.uri
        )
        return await call(ctx, mcp.read_resource, asked)

    @implements(contract.mcp_list_prompts)
    async def mcp_list_prompts(self, ctx: Context, request: McpPageRequest) -> ListPromptsResponse:
        """List the prompts of a tool server."""
        return await call(ctx, mcp.list_prompts, _page(ctx, request))

    @implements(contract.mcp_get_prompt)
    async def mcp_get_prompt(self, ctx: Context, request: McpGetPromptRequest) -> GetPromptResponse:
        """Read a prompt of a tool server, filled in."""
        asked = GetPromptRequest(
            tenant_id=_tenant(ctx),
            server_name=request.server_name,
            prompt_name=request.prompt_name,
            arguments=request.arguments,
        )
        return await call(ctx, mcp.get_prompt, asked)

    @implements(contract.mcp_register_server)
    async def mcp_register_server(self, ctx: Context, request: Registration) -> ServerResponse:
        """Register a tool server for the organization; one of the same name is replaced.

        The values of `headers` are sealed before they are stored and never shown again. The
        address must be a public one of https unless the operator allows its host. Nothing is
        asked of the server yet: see mcp-get-server-info.
        """
        caller = Caller.from_headers(ctx.request().headers)
        asked = RegisterRequest(
            tenant_id=caller.tenant_id, registered_by=caller.user_id, registration=request
        )
        return await call(ctx, mcp.register, asked)

    @implements(contract.mcp_remove_server)
    async def mcp_remove_server(self, ctx: Context, request: McpServerRequest) -> RemoveResponse:
        """Remove a tool server with its secrets. Runs that have its tools at hand keep them."""
        return await call(ctx, mcp.remove, _server(ctx, request))


def _tenant(ctx: Context) -> str:
    return Caller.from_headers(ctx.request().headers).tenant_id


def _server(ctx: Context, request: McpServerRequest) -> ServerRequest:
    return ServerRequest(tenant_id=_tenant(ctx), server_name=request.server_name)


def _page(ctx: Context, request: McpPageRequest) -> PageRequest:
    return PageRequest(
        tenant_id=_tenant(ctx), server_name=request.server_name, page_token=request.page_token
    )
