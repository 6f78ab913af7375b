"""What only the benchmark has: a handler that does nothing, and one durable model call."""

from restate import Context

from chassis.calls import call
from chassis.message import Int32, Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Effect, Kind
from chassis.serve import implements
from chassis.steps import step
from services.openrouter.client import OpenRouterClient
from services.openrouter.wire import ChatMessage, ChatRequest


class NoopRequest(Message):
    """Three required fields, so that one body can break three rules."""

    name: str
    amount: Int32
    tags: list[str]


class NoopResponse(Message):
    """Nothing."""


class AskRequest(Message):
    """A question for a model."""

    text: str = ""


class AskResponse(Message):
    """Its answer."""

    text: str = ""


gateway = Component("BenchGateway", Kind.GATEWAY, REQUEST, base="/api/v1/bench/")
service = Component("BenchService", Kind.SERVICE, REQUEST)

noop = gateway.public(
    "Noop", NoopRequest, NoopResponse, scope="conversations:read", effect=Effect.READ
)
open_noop = gateway.public(
    "OpenNoop", NoopRequest, NoopResponse, scope="conversations:read", effect=Effect.READ
)
OPEN_PATH = "/api/v1/bench/open-noop"
ask = gateway.public("Ask", AskRequest, AskResponse, scope="models:read", effect=Effect.READ)
complete = service.rpc("Complete", AskRequest, AskResponse)


class BenchGateway:
    """The benchmark's public methods."""

    @implements(noop)
    async def noop(self, ctx: Context, request: NoopRequest) -> NoopResponse:
        """Do nothing."""
        return NoopResponse()

    @implements(open_noop)
    async def open_noop(self, ctx: Context, request: NoopRequest) -> NoopResponse:
        """Do nothing, for whoever comes."""
        return NoopResponse()

    @implements(ask)
    async def ask(self, ctx: Context, request: AskRequest) -> AskResponse:
        """Ask a model once, through a service."""
        return await call(ctx, complete, request)


class BenchService:
    """A model call as a single durable step."""

    def __init__(self, client: OpenRouterClient) -> None:
        self._client = client

    @implements(complete)
    async def complete(self, ctx: Context, request: AskRequest) -> AskResponse:
        """Ask the model."""
        return await step(ctx, "ask", self._ask, AskResponse, text=request.text)

    async def _ask(self, text: str) -> AskResponse:
        asked = ChatRequest(model="stub/instant", messages=(ChatMessage("user", text),))
        return AskResponse(text=(await self._client.chat(asked)).text)
