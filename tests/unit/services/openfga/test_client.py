"""OpenFGA's own library, held to one promise: a yes is a yes, and everything else has a reason."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import HttpUrl, SecretStr

from errors import Code, RpcError
from services.openfga import model, reasons
from services.openfga.client import OpenFgaStore
from services.openfga.names import NamedTuple
from services.openfga.settings import OpenFgaSettings

pytestmark = pytest.mark.anyio

STORE, MODEL = "01M8415W36XN77S3AG45ZRC0B1", "01M8415W3FGNKRX6CSVFZNHJHA"
ASKED = NamedTuple("user:acme/ann", "can_view", "file:acme/f1")
TUPLE = NamedTuple("user:acme/ann", "viewer", "file:acme/f1")
MADE_AT = "2026-01-01T00:00:00Z"


class FakeServer:
    """Says what a test wants it to say, and keeps what it was told."""

    def __init__(self) -> None:
        self.url = ""
        self.stores: list[dict[str, str]] = [self.store(STORE)]
        self.models: list[dict[str, Any]] = [{"id": MODEL, **model.ours()}]
        self.answers: dict[str, web.Response | dict[str, Any]] = {}
        self.told: list[tuple[str, Any]] = []
        self.tokens: set[str] = set()
        self.hangs = asyncio.Event()
        self.hangs.set()

    @staticmethod
    def store(id: str, made_at: str = MADE_AT) -> dict[str, str]:
        return {"id": id, "name": "yocaso", "created_at": made_at, "updated_at": MADE_AT}

    def bodies(self, method: str) -> list[Any]:
        return [body for name, body in self.told if name == method]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.tokens.add(request.headers.get("authorization", ""))
        method = request.path.rpartition("/")[2]
        self.told.append((method, await request.json() if request.can_read_body else None))
        await self.hangs.wait()
        answer = self.answers.get(method)
        if isinstance(answer, web.Response):
            return answer
        if answer is not None:
            return web.json_response(answer)
        if method == "stores":
            return web.json_response({"stores": self.stores, "continuation_token": ""})
        if method == "authorization-models":
            return web.json_response({"authorization_models": self.models})
        return web.json_response({})


@asynccontextmanager
async def running(timeout: float = 5) -> AsyncGenerator[tuple[FakeServer, OpenFgaStore]]:
    server = FakeServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    client = OpenFgaStore(settings(server.url, timeout))
    try:
        yield server, client
    finally:
        server.hangs.set()
        await client.aclose()
        await runner.cleanup()


def settings(url: str, timeout: float = 5) -> OpenFgaSettings:
    return OpenFgaSettings(
        api_url=HttpUrl(url), api_token=SecretStr("k-1"), timeout_seconds=timeout
    )


async def refusal(client: OpenFgaStore) -> RpcError:
    with pytest.raises(RpcError) as refused:
        await client.check([ASKED], [], fresh=False)
    return refused.value


async def test_a_question_names_store_model_and_consistency() -> None:
    async with running() as (server, client):
        server.answers["check"] = {"allowed": True}
        role = NamedTuple("user:acme/ann", "member", "tenant:acme")
        assert await client.check([ASKED], [role], fresh=True) == [True]
        assert await client.check([ASKED], [], fresh=False) == [True]
        first, second = server.bodies("check")
        assert first["authorization_model_id"] == MODEL
        assert first["tuple_key"] == {
            "user": ASKED.user, "relation": ASKED.relation, "object": ASKED.object,
        }  # fmt: skip
        assert first["contextual_tuples"]["tuple_keys"] == [
            {"user": role.user, "relation": role.relation, "object": role.object}
        ]
        assert first["consistency"] == "HIGHER_CONSISTENCY"
        assert second["consistency"] == "MINIMIZE_LATENCY"
        assert server.tokens == {"Bearer k-1"}
        assert len(server.bodies("stores")) == 1


async def test_the_oldest_of_several_stores_is_everybodys() -> None:
    async with running() as (server, client):
        newer = server.store("01M8415W36XN77S3AG45ZRC0B2", "2026-02-01T00:00:00Z")
        server.stores.insert(0, newer)
        assert await client.prepare() == (STORE, MODEL)


async def test_a_model_of_another_version_is_not_asked_with() -> None:
    async with running() as (server, client):
        server.models = [{"id": MODEL, "schema_version": "1.1", "type_definitions": []}]
        assert (await refusal(client)).reason == reasons.NOT_PREPARED.word
        server.models.append({"id": MODEL, **model.ours()})
        server.answers["check"] = {"allowed": False}
        assert await client.check([ASKED], [], fresh=False) == [False]


async def test_no_store_is_made_by_asking() -> None:
    async with running() as (server, client):
        server.stores = []
        error = await refusal(client)
        assert (error.reason, error.is_terminal) == (reasons.NOT_PREPARED.word, False)
        assert server.bodies("stores") == [None]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(status=401, text="{}"), reasons.CREDENTIALS_REFUSED),
        (web.Response(status=403, text="{}"), reasons.CREDENTIALS_REFUSED),
        (web.Response(status=400, text='{"code":"validation_error"}'), reasons.REQUEST_REFUSED),
        (web.Response(status=404, text="{}"), reasons.REQUEST_REFUSED),
        (web.Response(status=429, text="{}"), reasons.UNREACHABLE),
        (web.Response(status=500, text="{}"), reasons.FAILED),
        (web.Response(status=503, text="no"), reasons.UNREACHABLE),
        (web.Response(text="<html>", content_type="text/html"), reasons.FAILED),
        (web.json_response({}), reasons.FAILED),
        (web.json_response([1]), reasons.FAILED),
    ],
    ids=lambda value: getattr(value, "word", None) or getattr(value, "text", ""),
)
async def test_whatever_is_no_answer_has_its_reason(
    answer: web.Response, reason: reasons.Reason
) -> None:
    async with running() as (server, client):
        server.answers["check"] = answer
        error = await refusal(client)
        assert error.reason == reason.word
        upstream = error.details.upstream_error
        assert upstream is not None
        assert (upstream.service, upstream.body) == ("openfga", "")
        assert len(server.bodies("check")) == 1, "retries belong to the caller"


async def test_a_server_that_is_away_is_unreachable_and_found_again() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = OpenFgaStore(settings(f"http://127.0.0.1:{nobody.getsockname()[1]}"))
        error = await refusal(client)
        await client.aclose()
    assert (error.reason, error.code) == (reasons.UNREACHABLE.word, Code.UNAVAILABLE)
    assert not error.is_terminal


async def test_a_server_that_hangs_is_unreachable_for_all_who_wait_at_once() -> None:
    async with running(timeout=0.3) as (server, client):
        server.hangs.clear()
        errors = await asyncio.gather(*(refusal(client) for _ in range(20)))
        assert {error.reason for error in errors} == {reasons.UNREACHABLE.word}
        assert len(server.told) == 1, "everybody waits for the same look"


async def test_batches_are_answered_in_order_and_fail_as_a_whole() -> None:
    other = NamedTuple("user:acme/ann", "can_view", "file:acme/f2")
    async with running() as (server, client):
        server.answers["batch-check"] = {
            "result": {"1": {"allowed": True}, "0": {"allowed": False}}
        }
        assert await client.check([ASKED, other], [], fresh=False) == [False, True]
        failed = {"0": {"allowed": True}, "1": {"allowed": False, "error": {"message": "no"}}}
        for result in (failed, {"0": {"allowed": True}}):
            server.answers["batch-check"] = {"result": result}
            with pytest.raises(RpcError) as refused:
                await client.check([ASKED, other], [], fresh=False)
            assert refused.value.reason == reasons.FAILED.word


async def test_writes_and_deletes_can_be_repeated() -> None:
    async with running() as (server, client):
        await client.write([TUPLE])
        await client.delete([TUPLE])
        written, deleted = server.bodies("write")
        assert written["writes"]["on_duplicate"] == "ignore"
        assert deleted["deletes"]["on_missing"] == "ignore"
        assert [each["object"] for each in written["writes"]["tuple_keys"]] == [TUPLE.object]
        assert "writes" not in deleted


async def test_a_list_that_makes_no_sense_is_not_an_empty_one() -> None:
    async with running() as (server, client):
        server.answers["list-objects"] = {"objects": ["file:acme/f1"]}
        listed = await client.list_objects(ASKED.user, "can_view", "file", [], fresh=False)
        assert listed == ["file:acme/f1"]
        server.answers["list-objects"] = web.Response(text="<html>", content_type="text/html")
        with pytest.raises(RpcError) as refused:
            await client.list_objects(ASKED.user, "can_view", "file", [], fresh=False)
        assert refused.value.reason == reasons.FAILED.word
