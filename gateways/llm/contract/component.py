"""The gateway itself, which every file of its contract adds methods to."""

from chassis.retries import REQUEST
from chassis.rpc import Component, Kind

component = Component(
    name="LLMGateway",
    kind=Kind.GATEWAY,
    retries=REQUEST,
    base="/api/v1/llm/gateway/",
)

READ, WRITE = "conversations:read", "conversations:write"
