"""What a user names is judged before every request and at every connection."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.addresses import OutgoingAddresses
from chassis.outgoing_httpx import CheckedTransport
from tests.support.ingress import FakeIngress, fake_ingress, response
from tests.support.names import NAME, names

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[FakeIngress]:
    async with fake_ingress() as server:
        yield server


async def test_the_connection_goes_to_the_checked_number_and_keeps_the_name(
    server: FakeIngress,
) -> None:
    transport = CheckedTransport(names(["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport) as http:
        assert (await http.get(f"http://{NAME}:{server.port}/x")).status_code == 200
    (seen,) = server.seen
    assert seen.headers["host"] == f"{NAME}:{server.port}"


async def test_tls_asks_for_the_name_and_not_for_the_number() -> None:
    hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1")
    port: int = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(transport=CheckedTransport(names(["127.0.0.1"]))) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"https://{NAME}:{port}/")
        assert NAME.encode() in await hello


async def test_a_name_is_judged_anew_for_each_connection(server: FakeIngress) -> None:
    server.answers(response(headers={"connection": "close"}))
    transport = CheckedTransport(names(["127.0.0.1"], ["refused"]))
    async with httpx.AsyncClient(transport=transport) as http:
        await http.get(f"http://{NAME}:{server.port}/")
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{NAME}:{server.port}/")
    assert len(server.seen) == 1


async def test_a_number_that_does_not_answer_gives_way_to_the_next(server: FakeIngress) -> None:
    transport = CheckedTransport(names(["127.0.0.2", "127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport) as http:
        assert (await http.get(f"http://{NAME}:{server.port}/")).status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "127.1", "2130706433", "0x7f000001"]
)
async def test_no_spelling_of_a_private_address_is_called(server: FakeIngress, host: str) -> None:
    async with httpx.AsyncClient(transport=CheckedTransport(names())) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{host}:{server.port}/")
    assert server.seen == []


async def test_what_needs_tls_is_not_called_without(server: FakeIngress) -> None:
    addresses = OutgoingAddresses.of(["localhost"])
    async with httpx.AsyncClient(transport=CheckedTransport(addresses)) as http:
        assert (await http.get(f"http://localhost:{server.port}/")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await http.get("http://example.com/")
    assert len(server.seen) == 1


async def test_a_redirect_is_judged_like_a_request(server: FakeIngress) -> None:
    elsewhere = f"http://127.0.0.1:{server.port}/inside"
    server.answers(response(302, headers={"location": elsewhere}), response())
    addresses = OutgoingAddresses.of(["localhost"])
    transport = CheckedTransport(addresses)
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://localhost:{server.port}/")
    assert len(server.seen) == 1


async def test_no_proxy_of_the_environment_connects_for_us(
    server: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, server.url)
    async with httpx.AsyncClient(transport=CheckedTransport(names(["refused"]))) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{NAME}/")
    assert server.seen == []


async def test_a_name_that_nobody_knows_is_a_failed_connection() -> None:
    async with httpx.AsyncClient(transport=CheckedTransport(OutgoingAddresses())) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("https://nobody.invalid/")
