"""What a user names is judged at every connection that aiohttp makes."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession

from chassis.addresses import OutgoingAddresses
from chassis.outgoing_aiohttp import checked_connector
from tests.support.ingress import FakeIngress, fake_ingress, response
from tests.support.names import NAME, names

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[FakeIngress]:
    async with fake_ingress() as server:
        yield server


def session(addresses: OutgoingAddresses) -> ClientSession:
    """A client on a pool that is judged."""
    return ClientSession(connector=checked_connector(addresses), trust_env=False)


async def test_the_connection_goes_to_the_checked_number_and_keeps_the_name(
    server: FakeIngress,
) -> None:
    async with (
        session(names(["127.0.0.1"])) as http,
        http.get(f"http://{NAME}:{server.port}/x") as answer,
    ):
        assert answer.status == 200
    (seen,) = server.seen
    assert seen.headers["host"] == f"{NAME}:{server.port}"


async def test_a_name_is_judged_anew_for_each_connection(server: FakeIngress) -> None:
    server.answers(response(headers={"connection": "close"}))
    async with session(names(["127.0.0.1"], ["refused"])) as http:
        async with http.get(f"http://{NAME}:{server.port}/") as answer:
            assert answer.status == 200
        with pytest.raises(ClientConnectorError):
            await http.get(f"http://{NAME}:{server.port}/")
    assert len(server.seen) == 1


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001"])
async def test_a_name_that_stands_for_a_private_number_is_not_called(
    server: FakeIngress, host: str
) -> None:
    async with session(names()) as http:
        with pytest.raises(ClientError):
            await http.get(f"http://{host}:{server.port}/")
    assert server.seen == []
