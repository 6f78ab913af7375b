"""The object inside MCPService: what a tenant has registered."""

from pydantic import Field

from chassis.message import Message
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind
from services.mcp.contract import RegisterRequest, RemoveResponse, ServerRequest
from services.mcp.contract import component as service
from services.mcp.contract.records import ServerRecord
from services.mcp.reasons import SERVER_NOT_FOUND, TOO_MANY_SERVERS


class RecordResponse(Message):
    """One record."""

    record: ServerRecord


class RecordsRequest(Message):
    """All of them."""


class RecordsResponse(Message):
    """Records by name."""

    records: list[ServerRecord] = Field(default_factory=list[ServerRecord])


index = Component(
    name="McpServerIndex",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant, percent-encoded",
    owner=service,
)

put = index.rpc("Put", RegisterRequest, RecordResponse, errors=(TOO_MANY_SERVERS,))
remove = index.rpc("Remove", ServerRequest, RemoveResponse, errors=(SERVER_NOT_FOUND,))
get = index.rpc("Get", ServerRequest, RecordResponse, errors=(SERVER_NOT_FOUND,), shared=True)
list_records = index.rpc("List", RecordsRequest, RecordsResponse, shared=True)
