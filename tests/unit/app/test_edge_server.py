"""The edge's routes."""

from app.components import build
from app.edge_server import GATEWAYS
from app.settings import HandlersConfig
from chassis.rpc import Kind


def test_the_edge_has_the_routes_of_every_gateway_that_is_served() -> None:
    registry = build(HandlersConfig.read()).registry
    served = [each.component for each in registry.registered if each.component.kind is Kind.GATEWAY]
    assert set(served) == set(GATEWAYS)
