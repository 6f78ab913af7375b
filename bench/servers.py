"""The platform's two servers with the benchmark's components beside its own."""

from app import edge_server, handlers_server
from app.handlers_server import App
from app.registry import Registered
from app.settings import HandlersConfig
from bench import components
from services.openrouter.client import OpenRouterClient, open_http


def handlers() -> App:
    """The Restate endpoint."""
    settings = HandlersConfig.read().openrouter
    client = OpenRouterClient(open_http(settings), settings)
    return handlers_server.with_components(
        Registered.of(components.gateway, components.BenchGateway()),
        Registered.of(components.service, components.BenchService(client)),
    )


def edge() -> App:
    """The HTTP front."""
    return edge_server.with_routes(components.noop, components.ask)
