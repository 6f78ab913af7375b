"""The tools of many servers at once, for a model."""

import asyncio

from chassis import logs
from chassis.sealing import Sealing
from errors import RpcError
from services.mcp import rules
from services.mcp.client import McpClient
from services.mcp.contract import OfferedTool, OfferResponse
from services.mcp.contract.records import ServerRecord
from services.mcp.servers import opened
from services.mcp.settings import McpSettings

log = logs.get(__name__)

# What the widest of the model providers take.
MOST_OFFERED = 128


class Offers:
    """A server that does not answer is left out; it never keeps a run from its answer."""

    def __init__(self, client: McpClient, sealing: Sealing, settings: McpSettings) -> None:
        self._client = client
        self._sealing = sealing
        self._seconds = settings.probe_seconds

    async def offer(
        self, tenant_id: str, records: list[ServerRecord], allowed: list[str]
    ) -> OfferResponse:
        """The tools that a thread allows, in the order of their servers' names."""
        asked = [record for record in records if rules.offered(record, allowed)]
        found = await asyncio.gather(*(self._tools(tenant_id, each, allowed) for each in asked))
        offer = OfferResponse()
        for record, tools in zip(asked, found, strict=True):
            if tools is None:
                offer.unavailable.append(record.server_name)
                continue
            room = MOST_OFFERED - len(offer.tools)
            if tools[:room]:
                offer.tools += tools[:room]
                offer.servers.append(record)
        return offer

    async def _tools(
        self, tenant_id: str, record: ServerRecord, allowed: list[str]
    ) -> list[OfferedTool] | None:
        try:
            server = opened(record, self._sealing, tenant_id)
            listed = await self._client.list_tools(server, seconds=self._seconds)
        except RpcError as error:
            log.info("tools not offered", extra=logs.fields(reason=error.reason))
            return None
        chosen = [tool for tool in listed if rules.chosen(record, tool.name, allowed)]
        decided = [rules.decided(record, tool) for tool in chosen]
        return [
            OfferedTool(
                name=rules.model_name(record.server_name, tool.name),
                server_name=record.server_name,
                # What a model does not read would only make the journal longer.
                tool=tool.model_copy(update={"output_schema": None, "annotations": None}),
            )
            for tool in decided
            if not tool.problem
        ]
