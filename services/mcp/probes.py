"""Asking every server of a tenant whether it is there, all at the same time."""

import asyncio

from chassis.sealing import Sealing
from errors import RpcError, wire
from services.mcp import rules
from services.mcp.client import McpClient
from services.mcp.contract import ListServersResponse
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import McpServer, ServerStatus
from services.mcp.servers import opened
from services.mcp.settings import McpSettings


class Probes:
    """One that does not answer is marked; it never fails the others."""

    def __init__(self, client: McpClient, sealing: Sealing, settings: McpSettings) -> None:
        self._client = client
        self._sealing = sealing
        self._seconds = settings.probe_seconds

    async def probe(self, tenant_id: str, records: list[ServerRecord]) -> ListServersResponse:
        """The servers with their status."""
        probes = (self._probed(tenant_id, record) for record in records)
        return ListServersResponse(servers=list(await asyncio.gather(*probes)))

    async def _probed(self, tenant_id: str, record: ServerRecord) -> McpServer:
        shown = rules.shown(record)
        shown.status = ServerStatus.AVAILABLE
        try:
            server = opened(record, self._sealing, tenant_id)
            await self._client.info(server, seconds=self._seconds)
        except RpcError as error:
            shown.status = ServerStatus.UNAVAILABLE
            shown.error = wire.to_envelope(error)["error"]
        return shown
