"""Find the registration, then ask the server, in one step each."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from restate import Context

from chassis.addresses import AddressRefusedError, OutgoingAddresses
from chassis.calls import call
from chassis.identity import object_key
from chassis.message import REQUEST_INVALID, Message
from chassis.sealing import Sealing
from chassis.serve import implements
from chassis.steps import ONCE, step
from errors import ErrorDetails, FieldViolation
from services.mcp import contract, rules
from services.mcp.calls import Claim, PlannedCall, ToolCalls, ToolOutcome
from services.mcp.client import McpClient, Server
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
    OfferRequest,
    OfferResponse,
    PageRequest,
    ReadResourceRequest,
    ReadResourceResponse,
    RegisterRequest,
    RemoveResponse,
    ServerRequest,
    ServerResponse,
    objects,
)
from services.mcp.contract.objects import RecordsRequest
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import ServerInfo, ServerStatus, ToolEffect
from services.mcp.offers import Offers
from services.mcp.probes import Probes
from services.mcp.reasons import TOOL_NOT_FOUND
from services.mcp.servers import opened
from services.mcp.settings import McpSettings

R = TypeVar("R", bound=Message)


class Mcp:
    """Tool servers, by the Model Context Protocol."""

    def __init__(
        self,
        client: McpClient,
        calls: ToolCalls,
        sealing: Sealing,
        addresses: OutgoingAddresses,
        settings: McpSettings,
    ) -> None:
        self._client = client
        self._calls = calls
        self._sealing = sealing
        self._addresses = addresses
        self._probes = Probes(client, sealing, settings)
        self._offers = Offers(client, sealing, settings)

    @implements(contract.register)
    async def register(self, ctx: Context, request: RegisterRequest) -> ServerResponse:
        """Register a tool server; one of the same name is replaced."""
        try:
            self._addresses.check_url(request.registration.url)
        except AddressRefusedError as refused:
            violation = FieldViolation(field="url", description=str(refused))
            raise REQUEST_INVALID.error(
                details=ErrorDetails(field_violations=(violation,))
            ) from None
        put = await call(ctx, objects.put, request, key=object_key(request.tenant_id))
        return ServerResponse(server=rules.shown(put.record))

    @implements(contract.remove)
    async def remove(self, ctx: Context, request: ServerRequest) -> RemoveResponse:
        """Remove a tool server with its secrets."""
        return await call(ctx, objects.remove, request, key=object_key(request.tenant_id))

    @implements(contract.list_servers)
    async def list_servers(self, ctx: Context, request: ListServersRequest) -> ListServersResponse:
        """List the tool servers; those that do not answer are marked."""
        key = object_key(request.tenant_id)
        found = await call(ctx, objects.list_records, RecordsRequest(), key=key)
        return await step(
            ctx,
            "probe",
            self._probes.probe,
            ListServersResponse,
            ONCE,
            request.tenant_id,
            found.records,
        )

    @implements(contract.get_info)
    async def get_info(self, ctx: Context, request: ServerRequest) -> ServerInfo:
        """Read what a server says about itself."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def look(server: Server) -> ServerInfo:
            info = await self._client.info(server)
            info.server = rules.shown(record)
            info.server.status = ServerStatus.AVAILABLE
            return info

        return await self._ask(ctx, "info", request.tenant_id, record, look, ServerInfo)

    @implements(contract.offer)
    async def offer(self, ctx: Context, request: OfferRequest) -> OfferResponse:
        """List the tools that a thread allows its model."""
        key = object_key(request.tenant_id)
        found = await call(ctx, objects.list_records, RecordsRequest(), key=key)
        return await step(
            ctx,
            "offer",
            self._offers.offer,
            OfferResponse,
            ONCE,
            request.tenant_id,
            found.records,
            request.allowed,
        )

    @implements(contract.list_tools)
    async def list_tools(self, ctx: Context, request: ServerRequest) -> ListToolsResponse:
        """List the tools that may be used."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def look(server: Server) -> ListToolsResponse:
            tools = await self._client.list_tools(server)
            usable = [tool for tool in tools if rules.allowed(record, tool.name)]
            return ListToolsResponse(tools=[rules.decided(record, tool) for tool in usable])

        return await self._ask(ctx, "tools", request.tenant_id, record, look, ListToolsResponse)

    @implements(contract.call_tool)
    async def call_tool(self, ctx: Context, request: CallToolRequest) -> CallToolResponse:
        """Call a tool once."""
        record = await _record(ctx, request.tenant_id, request.server_name)
        if not rules.allowed(record, request.tool_name):
            raise TOOL_NOT_FOUND.error()
        planned = PlannedCall(
            tenant_id=request.tenant_id,
            record=record,
            tool_name=request.tool_name,
            effect=rules.effect_of(record, request.tool_name),
            arguments=request.arguments,
        )
        claim = None
        if planned.effect is ToolEffect.DANGEROUS:
            claim = await step(ctx, "claim", self._calls.claim, Claim, ONCE)
        outcome = await step(
            ctx, "call", self._calls.take, ToolOutcome, ONCE, ctx.request().id, planned, claim
        )
        if outcome.failure is not None:
            raise outcome.failure
        return CallToolResponse(result=outcome.result, status=outcome.status, timing=outcome.timing)

    @implements(contract.list_resources)
    async def list_resources(self, ctx: Context, request: PageRequest) -> ListResourcesResponse:
        """List a server's resources."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def look(server: Server) -> ListResourcesResponse:
            found, following = await self._client.list_resources(server, request.page_token)
            return ListResourcesResponse(resources=found, next_page_token=following)

        return await self._ask(
            ctx, "resources", request.tenant_id, record, look, ListResourcesResponse
        )

    @implements(contract.read_resource)
    async def read_resource(
        self, ctx: Context, request: ReadResourceRequest
    ) -> ReadResourceResponse:
        """Read a resource."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def read(server: Server) -> ReadResourceResponse:
            return ReadResourceResponse(
                contents=await self._client.read_resource(server, request.uri)
            )

        return await self._ask(
            ctx, "resource", request.tenant_id, record, read, ReadResourceResponse
        )

    @implements(contract.list_prompts)
    async def list_prompts(self, ctx: Context, request: PageRequest) -> ListPromptsResponse:
        """List a server's prompts."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def look(server: Server) -> ListPromptsResponse:
            found, following = await self._client.list_prompts(server, request.page_token)
            return ListPromptsResponse(prompts=found, next_page_token=following)

        return await self._ask(ctx, "prompts", request.tenant_id, record, look, ListPromptsResponse)

    @implements(contract.get_prompt)
    async def get_prompt(self, ctx: Context, request: GetPromptRequest) -> GetPromptResponse:
        """Fill in a prompt."""
        record = await _record(ctx, request.tenant_id, request.server_name)

        async def read(server: Server) -> GetPromptResponse:
            description, messages = await self._client.get_prompt(
                server, request.prompt_name, request.arguments
            )
            return GetPromptResponse(description=description, messages=messages)

        return await self._ask(ctx, "prompt", request.tenant_id, record, read, GetPromptResponse)

    async def _ask(
        self,
        ctx: Context,
        name: str,
        tenant_id: str,
        record: ServerRecord,
        work: Callable[[Server], Awaitable[R]],
        returns: type[R],
    ) -> R:
        """Ask a server something, once: a person looks, and looks again where it failed."""

        async def ask() -> R:
            return await work(opened(record, self._sealing, tenant_id))

        return await step(ctx, name, ask, returns, ONCE)


async def _record(ctx: Context, tenant_id: str, server_name: str) -> ServerRecord:
    asked = contract.ServerRequest(tenant_id=tenant_id, server_name=server_name)
    return (await call(ctx, objects.get, asked, key=object_key(tenant_id))).record
