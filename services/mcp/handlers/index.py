"""How a tenant's registrations are kept."""

from restate import ObjectContext, ObjectSharedContext

from chassis.serve import implements
from chassis.steps import now
from services.mcp.contract import RegisterRequest, RemoveResponse, ServerRequest, objects
from services.mcp.contract.objects import (
    RecordResponse,
    RecordsRequest,
    RecordsResponse,
)
from services.mcp.contract.records import ServerRecord
from services.mcp.reasons import SERVER_NOT_FOUND, TOO_MANY_SERVERS
from services.mcp.state import MOST_SERVERS, SERVERS, Servers


class McpServerIndex:
    """The tool servers of one tenant."""

    @implements(objects.put)
    async def put(self, ctx: ObjectContext, request: RegisterRequest) -> RecordResponse:
        """Register a server, in the place of one of the same name."""
        servers = await SERVERS.get(ctx) or Servers()
        asked = request.registration
        others = [each for each in servers.records if each.server_name != asked.server_name]
        if len(others) >= MOST_SERVERS:
            raise TOO_MANY_SERVERS.error()
        record = ServerRecord(
            server_name=asked.server_name,
            url=asked.url,
            description=asked.description,
            headers=asked.headers,
            allowed_tools=asked.allowed_tools,
            tool_rules=asked.tool_rules,
            effect=asked.effect,
            trust_annotations=asked.trust_annotations,
            approval=asked.approval,
            timeout=asked.timeout,
            registered_at=await now(ctx),
            registered_by=request.registered_by,
        )
        servers.records = sorted([*others, record], key=lambda each: each.server_name)
        SERVERS.set(ctx, servers)
        return RecordResponse(record=record)

    @implements(objects.remove)
    async def remove(self, ctx: ObjectContext, request: ServerRequest) -> RemoveResponse:
        """Forget a server and its secrets."""
        servers = await SERVERS.get(ctx) or Servers()
        kept = [each for each in servers.records if each.server_name != request.server_name]
        if len(kept) == len(servers.records):
            raise SERVER_NOT_FOUND.error()
        servers.records = kept
        SERVERS.set(ctx, servers)
        return RemoveResponse(removed=True)

    @implements(objects.get)
    async def get(self, ctx: ObjectSharedContext, request: ServerRequest) -> RecordResponse:
        """Read one registration."""
        servers = await SERVERS.get(ctx) or Servers()
        for record in servers.records:
            if record.server_name == request.server_name:
                return RecordResponse(record=record)
        raise SERVER_NOT_FOUND.error()

    @implements(objects.list_records)
    async def list(self, ctx: ObjectSharedContext, request: RecordsRequest) -> RecordsResponse:
        """Read every registration."""
        servers = await SERVERS.get(ctx) or Servers()
        return RecordsResponse(records=servers.records)
