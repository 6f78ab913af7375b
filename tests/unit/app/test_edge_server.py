"""The edge's routes."""

from app.components import build
from app.edge_server import GATEWAYS, public_routes
from app.settings import HandlersConfig
from chassis.rpc import Kind


def test_the_edge_has_the_routes_of_every_gateway_that_is_served() -> None:
    registry = build(HandlersConfig.read()).registry
    served = [each.component for each in registry.registered if each.component.kind is Kind.GATEWAY]
    assert set(served) == set(GATEWAYS)


def test_what_the_edge_serves_and_the_enumerating_tests_walk_through_is_every_route() -> None:
    routes = build(HandlersConfig.read()).registry.routes()
    assert {rpc.target for rpc in public_routes()} == {rpc.target for rpc in routes}
    assert len(public_routes()) == len(routes)
