"""From a registration to a server that can be called: its secrets are opened here."""

from chassis.sealing import SealBrokenError, Sealing
from services.mcp.client import Server
from services.mcp.contract.records import ServerRecord
from services.mcp.reasons import SECRETS_LOST

_DEFAULT_SECONDS = 60.0


def opened(record: ServerRecord, sealing: Sealing, tenant_id: str) -> Server:
    """The server with its headers in clear. Never to be kept; raises `mcp_server.secrets_lost`."""
    try:
        headers = {name: sealing.open(value, tenant_id) for name, value in record.headers.items()}
    except SealBrokenError:
        # Apart, because the list of servers tells of it and does not fail.
        lost = SECRETS_LOST.error()
        raise lost from None
    timeout = record.timeout
    return Server(
        record.server_name,
        record.url,
        headers,
        timeout.total_seconds() if timeout else _DEFAULT_SECONDS,
    )
