"""Asking a model in one line, with whatever came out of it as a value."""

from dataclasses import dataclass
from typing import Any

from errors import RpcError
from services.openrouter.client import OpenRouterClient
from services.openrouter.wire import ChatMessage, ChatRequest, Delta, Finish


@dataclass(frozen=True)
class Heard:
    """What a stream brought before it ended, and how it ended."""

    text: str
    finish: Finish | None = None
    error: RpcError | None = None

    @property
    def reason(self) -> str:
        """The reason of the failure; empty without one."""
        return self.error.reason if self.error else ""


def question(text: str = "hello", **options: Any) -> ChatRequest:
    """A request for the double's usual model with one user message."""
    options = {"model": "double/echo", **options}
    return ChatRequest(messages=(ChatMessage("user", text),), **options)


async def listen(client: OpenRouterClient, request: ChatRequest | None = None) -> Heard:
    """Stream the whole answer."""
    text: list[str] = []
    finish: Finish | None = None
    try:
        async with client.stream_chat(request or question()) as events:
            async for event in events:
                match event:
                    case Delta():
                        text.append(event.text)
                    case Finish():
                        assert finish is None
                        finish = event
    except RpcError as error:
        return Heard("".join(text), finish, error)
    return Heard("".join(text), finish)
