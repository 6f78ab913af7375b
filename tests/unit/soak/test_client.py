"""The soak's client reads streams as the platform sends them, and notices what is no answer."""

import json
from collections.abc import AsyncGenerator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from errors import Code, RpcError
from soak.client import API, AwayError, Client
from soak.history import History

pytestmark = pytest.mark.anyio

REFUSED = {
    "error": {
        "code": "UNAVAILABLE",
        "message": "Away.",
        "isTerminal": False,
        "details": {"reason": "platform.unavailable"},
    }
}
CREATED = {"sequence": 1, "type": "message.created"}


class Platform:
    """Answers everything with one body, and has the client that asked for it."""

    def __init__(self, client: Client, history: History) -> None:
        self.client = client
        self.history = history
        self.status = 200
        self.body = ""

    async def streamed(self) -> list[str]:
        """The kinds of events of one stream."""
        return [kind async for kind, _ in self.client.events("a thread", 0)]


@pytest.fixture
async def platform() -> AsyncGenerator[Platform]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=held.status, text=held.body)

    application = web.Application()
    application.router.add_post(API + "{method}", answer)
    async with TestServer(application) as server, ClientSession() as http:
        history = History()
        url = str(server.make_url("")).rstrip("/")
        held = Platform(Client(http, url, "a key", history), history)
        yield held


def frames(*events: tuple[str, object]) -> str:
    return "".join(f"event: {kind}\ndata: {json.dumps(body)}\n\n" for kind, body in events)


async def test_a_stream_ends_where_the_edge_says_goodbye(platform: Platform) -> None:
    platform.body = frames(("message.created", CREATED), ("bye", {}))
    assert await platform.streamed() == ["message.created"]


async def test_an_error_in_a_stream_is_the_error(platform: Platform) -> None:
    platform.body = frames(("error", REFUSED))
    with pytest.raises(RpcError) as refused:
        await platform.streamed()
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("body", ["<html>", "{}", '{"error": {"code": "NONE"}}'])
async def test_an_error_of_another_form_is_a_finding(platform: Platform, body: str) -> None:
    platform.status, platform.body = 500, body
    with pytest.raises(AwayError):
        await platform.client.call("send-message", {})
    assert [finding.promise for finding in platform.history.findings] == ["errors have one form"]


async def test_a_refusal_that_asks_to_try_again_is_counted(platform: Platform) -> None:
    platform.status, platform.body = 503, json.dumps(REFUSED)
    with pytest.raises(RpcError):
        await platform.client.call("send-message", {})
    assert platform.history.refusals == {"UNAVAILABLE platform.unavailable": 1}
