"""What a model says arrives whole, with who said it and what it cost."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from pydantic import SecretStr

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, ToolCall
from errors import Code, RpcError
from services.openrouter.client import OpenRouterClient
from services.openrouter.http import Http
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.wire import Delta
from tests.support.models import Heard, listen, question

pytestmark = pytest.mark.anyio


async def test_an_answer_arrives_whole_with_model_provider_usage_and_cost(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(tokens=["Hé", "llo ", "🙂"], cost=0.00014, provider="P"))
    heard = await listen(client)
    [call] = await double.wait(closed=1)
    assert heard.text == call.text_sent == "Héllo 🙂"
    assert heard.finish is not None
    assert heard.finish.usage is not None
    assert heard.finish.model == "double/echo"
    assert heard.finish.provider == "P"
    assert heard.finish.finish_reason == "stop"
    assert heard.finish.native_finish_reason == "stop"
    assert heard.finish.generation_id == call.id
    assert heard.finish.usage.total_tokens == 4
    assert heard.finish.usage.cost == "0.00014"


async def test_a_whole_answer_is_the_same_as_a_streamed_one(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(*[Answer(text="one two", reasoning="hm")] * 2)
    heard = await listen(client)
    whole = await client.chat(question())
    assert heard.finish is not None
    assert (whole.text, whole.reasoning) == (heard.text, "hm")
    assert whole.finish.usage == heard.finish.usage
    assert [call.stream for call in await double.calls()] == [True, False]


@pytest.mark.parametrize("write_bytes", [1, 3, 7])
async def test_answers_survive_any_fragmentation_and_crlf(
    client: OpenRouterClient, double: OpenRouterControl, write_bytes: int
) -> None:
    await double.script(Answer(tokens=["é🙂", "日本\n", '"\\'], write_bytes=write_bytes, crlf=True))
    assert (await listen(client)).text == 'é🙂日本\n"\\'


async def test_an_answer_of_one_megabyte_arrives_whole(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(*[Answer(size_bytes=1_000_000)] * 2)
    heard = await listen(client)
    [call] = await double.calls()
    assert len(heard.text) == 1_000_000
    assert heard.text == call.text_sent
    assert (await client.chat(question())).text == heard.text


async def test_a_stream_of_ten_thousand_tokens_arrives_whole(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(token_count=10_000))
    heard = await listen(client)
    assert heard.text == "".join(f"t{number} " for number in range(10_000))
    assert heard.finish is not None


async def test_reasoning_is_apart_from_the_text(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="yes", reasoning="let me think"))
    async with client.stream_chat(question()) as events:
        deltas = [event async for event in events if isinstance(event, Delta)]
    assert "".join(delta.reasoning for delta in deltas) == "let me think"
    assert "".join(delta.text for delta in deltas) == "yes"


async def test_tool_calls_are_put_together_and_are_no_text(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    wanted = [ToolCall(name="weather", arguments='{"city":"Oslo"}'), ToolCall(name="now")]
    await double.script(*[Answer(tool_calls=wanted)] * 2)
    heard = await listen(client)
    assert heard.text == ""
    assert heard.finish is not None
    assert heard.finish.finish_reason == "tool_calls"
    found = [(call.name, call.arguments) for call in heard.finish.tool_calls]
    assert found == [("weather", '{"city":"Oslo"}'), ("now", "{}")]
    assert (await client.chat(question())).finish.tool_calls[0].id == "call_0"


async def test_tool_calls_that_all_claim_the_same_index_stay_apart(
    settings: OpenRouterSettings,
) -> None:
    def part(call_id: str, name: str, arguments: str) -> str:
        function = f'"function":{{"name":"{name}","arguments":"{arguments}"}}'
        piece = f'{{"index":0,"id":"{call_id}",{function}}}'
        return f'data: {{"choices":[{{"delta":{{"tool_calls":[{piece}]}}}}]}}\n\n'

    end = 'data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    body = part("a", "f", "{}") + part("b", "g", "[") + part("b", "", "]") + end

    heard, _ = await said_by_a_server(settings, text=body, content_type="text/event-stream")
    assert heard.finish is not None
    found = [(call.id, call.name, call.arguments) for call in heard.finish.tool_calls]
    assert found == [("a", "f", "{}"), ("b", "g", "[]")]


async def test_a_provider_that_ignores_streaming_is_understood(
    settings: OpenRouterSettings,
) -> None:
    message = {"message": {"content": "whole"}, "finish_reason": "stop"}
    body = json.dumps({"id": "g", "choices": [message]})
    heard, _ = await said_by_a_server(settings, text=body, content_type="application/json")
    assert (heard.text, heard.reason) == ("whole", "")


async def test_an_answer_without_usage_is_still_an_answer(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="yes", with_usage=False, with_done=False))
    heard = await listen(client)
    assert heard.finish is not None
    assert (heard.text, heard.finish.usage) == ("yes", None)


async def test_the_key_and_the_apps_name_go_with_every_call(
    settings: OpenRouterSettings,
) -> None:
    named = settings.model_copy(update={"referer": "https://yocaso.dev", "title": "Yocaso"})
    _, headers = await said_by_a_server(named, idempotency_key="k1", status=500)
    assert headers["authorization"] == "Bearer sk-or-test"
    assert headers["http-referer"] == "https://yocaso.dev"
    assert headers["x-title"] == "Yocaso"
    assert headers["idempotency-key"] == "k1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_takes_our_key_away(settings: OpenRouterSettings, status: int) -> None:
    elsewhere = {"location": f"{settings.base_url}/chat/completions"}
    heard, _ = await said_by_a_server(settings, status=status, headers=elsewhere)
    assert (heard.text, heard.reason) == ("", "model.failed")


async def test_a_compressed_answer_is_unpacked_and_a_broken_one_is_garbage(
    settings: OpenRouterSettings,
) -> None:
    end = '{"delta":{"content":"packed"},"finish_reason":"stop"}'
    body = gzip.compress(f'data: {{"choices":[{end}]}}\n\ndata: [DONE]\n\n'.encode())
    packed = {"content-encoding": "gzip"}
    event_stream = "text/event-stream"
    heard, _ = await said_by_a_server(
        settings, body=body, headers=packed, content_type=event_stream
    )
    assert (heard.text, heard.reason) == ("packed", "")
    heard, _ = await said_by_a_server(
        settings, body=b"not packed at all", headers=packed, content_type=event_stream
    )
    assert heard.reason == "model.garbage"


async def said_by_a_server(
    settings: OpenRouterSettings, *, idempotency_key: str = "", **answer: Any
) -> tuple[Heard, Mapping[str, str]]:
    """What a client hears from a server that answers everything so, and the headers it sent."""
    seen: list[Mapping[str, str]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers)
        return web.Response(**answer)

    async with RawTestServer(handle) as server:
        there = settings.model_copy(update={"base_url": str(server.make_url("/"))})
        async with Http(there) as http:
            asked = question(idempotency_key=idempotency_key)
            heard = await listen(OpenRouterClient(http, there), asked)
    [headers] = seen
    return heard, headers


@pytest.mark.parametrize("key", [None, SecretStr("")])
async def test_without_a_key_nothing_is_called(
    http: Http,
    settings: OpenRouterSettings,
    double: OpenRouterControl,
    key: SecretStr | None,
) -> None:
    client = OpenRouterClient(http, settings.model_copy(update={"api_key": key}))
    heard = await listen(client)
    assert heard.error is not None
    assert heard.error.code is Code.UNAVAILABLE
    assert (heard.error.reason, heard.error.is_terminal) == ("openrouter.not_configured", True)
    with pytest.raises(RpcError) as raised:
        await client.list_models()
    assert raised.value.reason == "openrouter.not_configured"
    assert await double.calls() == []


async def test_the_model_list_has_ids_limits_and_prices(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    models = {model.id: model for model in await client.list_models()}
    assert models["double/echo"].context_length == 128_000
    assert models["double/echo"].max_completion_tokens == 16_384
    assert models["double/echo"].pricing["prompt"] == "0.000001"
    assert "tools" in models["double/echo"].supported_parameters
    assert models["double/echo"].input_modalities == ("text", "image", "file")


@pytest.mark.parametrize("rows", [[], [{"name": "no id"}]])
async def test_a_model_list_that_makes_no_sense_is_no_list(
    client: OpenRouterClient, double: OpenRouterControl, rows: list[dict[str, str]]
) -> None:
    await double.set_models(list(rows))
    with pytest.raises(RpcError) as raised:
        await client.list_models()
    assert (raised.value.reason, raised.value.is_terminal) == ("model.garbage", False)


async def test_a_model_list_that_cannot_be_had_may_be_had_later(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.set_models(status=503)
    with pytest.raises(RpcError) as raised:
        await client.list_models()
    assert (raised.value.code, raised.value.is_terminal) == (Code.UNAVAILABLE, False)


async def test_leaving_the_stream_closes_the_connection_at_once(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two three", gate="g", hold_after=2))
    async with client.stream_chat(question()) as events:
        async for event in events:
            assert isinstance(event, Delta)
            if event.text == "two ":
                break
    [call] = await double.wait(closed=1, timeout_seconds=5)
    assert call.closed_by_client
    assert call.text_sent == "one two "


class KeepAliveServer:
    """Streams `answers` answers on each connection and then, instead of one more, hangs up."""

    EVENT = b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\n'
    BODY = EVENT + b"data: [DONE]\n\n"

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.connections = 0
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(self.answers):
                await self._read(reader)
                head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                size = b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(self.BODY)
                writer.write(head + size + self.BODY + b"\r\n0\r\n\r\n")
                await writer.drain()
            await self._read(reader)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        self.requests += 1

    async def ask(self, settings: OpenRouterSettings, times: int) -> list[Heard]:
        """What a client of its own hears when it asks so often."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        there = settings.model_copy(update={"base_url": f"http://127.0.0.1:{port}"})
        async with server, Http(there) as http:
            client = OpenRouterClient(http, there)
            return [await listen(client) for _ in range(times)]


async def test_a_finished_connection_is_used_again(settings: OpenRouterSettings) -> None:
    server = KeepAliveServer(answers=3)
    assert [heard.text for heard in await server.ask(settings, 3)] == ["yes"] * 3
    assert (server.connections, server.requests) == (1, 3)


async def test_a_pooled_connection_that_the_server_closed_costs_nothing_visible(
    settings: OpenRouterSettings,
) -> None:
    server = KeepAliveServer(answers=1)
    assert [heard.text for heard in await server.ask(settings, 2)] == ["yes"] * 2
    assert (server.connections, server.requests) == (2, 3)


async def test_a_fresh_connection_that_breaks_is_not_tried_again(
    settings: OpenRouterSettings,
) -> None:
    server = KeepAliveServer(answers=0)
    assert [heard.reason for heard in await server.ask(settings, 1)] == ["model.stream_cut"]
    assert (server.connections, server.requests) == (1, 1)
