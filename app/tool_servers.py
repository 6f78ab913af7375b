"""The parts of MCPService, put together."""

from dataclasses import dataclass

from app.registry import Registered
from app.settings import HandlersConfig
from chassis.addresses import OutgoingAddresses
from chassis.sealing import Sealing
from services.mcp import contract as mcp
from services.mcp.calls import ToolCalls
from services.mcp.client import McpClient
from services.mcp.contract import objects
from services.mcp.handlers.index import McpServerIndex
from services.mcp.handlers.service import Mcp


@dataclass(frozen=True, slots=True)
class ToolServers:
    """Connections to tool servers and calls in flight; `aclose` ends both."""

    client: McpClient
    calls: ToolCalls
    registered: tuple[Registered, ...]

    @classmethod
    def of(cls, config: HandlersConfig) -> "ToolServers":
        """What one process needs of them."""
        addresses = OutgoingAddresses.of(config.process.outgoing_allowed_hosts)
        sealing = Sealing(config.process.secrets_keys)
        client = McpClient(addresses, config.mcp)
        calls = ToolCalls(client, sealing)
        service = Mcp(client, calls, sealing, addresses, config.mcp)
        return cls(
            client,
            calls,
            (
                Registered.of(mcp.component, service),
                Registered.of(objects.index, McpServerIndex()),
            ),
        )

    async def aclose(self) -> None:
        """End every call, then every connection."""
        await self.calls.aclose()
        await self.client.aclose()
