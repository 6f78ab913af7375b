"""The state of a tenant's index of tool servers."""

from pydantic import Field

from chassis.message import Message, UInt32
from chassis.state import StateKey
from services.mcp.contract.records import ServerRecord

MOST_SERVERS = 64


class Servers(Message):
    """Everything that a tenant has registered, by name."""

    version: UInt32 = 1
    records: list[ServerRecord] = Field(default_factory=list[ServerRecord])


SERVERS = StateKey("servers", Servers)
