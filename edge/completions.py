"""`complete` and `stream-complete`: one answer of a model, without a thread.

The edge holds no vendor's credential: a handler asks the model, durably, and the edge waits for
its answer as for any command. It follows the completion on the bus meanwhile, on a topic that only
it knows. What is heard there is the live text; that somebody follows is what keeps a completion
going that could not be asked for again. So a client that goes away ends it, unless it gave an
Idempotency-Key: then it may come back for the answer, and a repeat follows where the text is.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.thread import GenerationConfig
from chassis.bus import DELTA, BusClient, Subscription
from edge.limits import ClientGoneError
from edge.live_text import LiveText
from edge.local import EventStream, VerifiedRequest, sse
from edge.responses import Response
from gateways.llm.contract import PublicCompleteRequest
from services.completion import contract as completion
from services.completion.contract import CompleteRequest, CompleteResponse

_SUBSCRIBE_SECONDS = 0.25
# A refusal that comes this soon is an answer with a status; a later one is the stream's last event.
_REFUSED_SECONDS = 1.0
_LOOK_SECONDS = 5.0
# Said by the call to its own reader.
_OVER = "over"


class Completions:
    """Serves completions."""

    def __init__(self, bus: BusClient) -> None:
        self._bus = bus

    async def complete(self, request: VerifiedRequest) -> Response:
        """Ask a model once, without a thread, and answer when it has.

        The answer tells model, usage and cost; models of `fallbackModels` are asked in their
        order when the one before cannot answer. An answer that does not have the
        `responseFormat` is told to the model, which is asked once more; usage and cost are those
        of both. An answer that `budget.runUsd` cuts off ends with `finishReason` `length`. When
        the client goes away without an Idempotency-Key the model is stopped; with one the
        completion goes on, and a repeat gets its answer.
        """
        async with self._following(request, live=False) as (_, asked):
            call = asyncio.ensure_future(request.ingress.command(completion.complete, asked))
            gone = asyncio.ensure_future(request.gone())
            try:
                await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not call.done():
                    raise ClientGoneError
                return Response(200, call.result().to_json())
            finally:
                await _end(call, gone)

    async def stream(self, request: VerifiedRequest) -> EventStream:
        """Ask a model once, without a thread, and read what it says as an event stream.

        Text comes as `event: completion.delta` with `{attempt, offset, text}`, the offset in code
        points; a higher attempt makes the text before it void, also where the text did not have
        the `responseFormat` and the model was asked once more. The last event is
        `completion.completed` with what `complete` would have answered, `error` with the error
        envelope, or `bye`: the server stops, ask again. A client that goes away stops the model,
        unless it gave an Idempotency-Key.
        """
        frames = self._frames(request)
        # Up to the first sign of the model, so that what is refused is refused with its status.
        await anext(frames)
        return EventStream(frames)

    async def _frames(self, request: VerifiedRequest) -> AsyncGenerator[bytes]:
        """An empty frame once it is certain that this is a stream, then the events."""
        async with self._following(request, live=True) as (following, asked):
            call = asyncio.ensure_future(request.ingress.command(completion.complete, asked))
            call.add_done_callback(lambda _: following.offer(_OVER, None))
            try:
                said = await following.next(_REFUSED_SECONDS)
                if call.done():
                    call.result()
                yield b""
                text = LiveText()
                while not call.done():
                    fresh = text.join(said[1]) if said is not None and said[0] == DELTA else None
                    if fresh is not None:
                        yield _delta_frame(fresh)
                    said = await following.next(_LOOK_SECONDS)
                answer = call.result()
                rest = text.join(_whole(answer))
                if rest is not None:
                    yield _delta_frame(rest)
                yield sse(answer.to_json(), event="completion.completed")
            finally:
                await _end(call)

    @asynccontextmanager
    async def _following(
        self, request: VerifiedRequest, *, live: bool
    ) -> AsyncGenerator[tuple[Subscription, CompleteRequest]]:
        """Follow the completion that the request asks for; for as long as the block is open."""
        topic = f"completion/{request.ingress.command_id}"
        async with self._bus.subscribe(topic, linger_seconds=0) as following:
            if self._bus.connected:
                await following.until_watching(_SUBSCRIBE_SECONDS)
            # Where nobody can be heard, nobody can be missed.
            keep = request.ingress.repeatable or not following.watching.is_set()
            yield following, _asked(request, topic, live=live, keep=keep)


def _asked(request: VerifiedRequest, topic: str, *, live: bool, keep: bool) -> CompleteRequest:
    public = cast("PublicCompleteRequest", request.message)
    config = public.generation_config or GenerationConfig()
    if public.model:
        config = config.model_copy(update={"model": public.model})
    return CompleteRequest(
        messages=[
            ContextMessage(role=said.role, content=said.content, parts=said.parts)
            for said in public.messages
        ],
        generation_config=config,
        topic=topic,
        live=live,
        keep=keep,
    )


def _whole(answer: CompleteResponse) -> dict[str, Any]:
    return {
        "runId": answer.completion_id,
        "attempt": answer.attempts,
        "offset": 0,
        "text": answer.content,
    }


def _delta_frame(delta: dict[str, Any]) -> bytes:
    shown = {name: delta[name] for name in ("attempt", "offset", "text")}
    return sse(json.dumps(shown, ensure_ascii=False).encode(), event="completion.delta")


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
