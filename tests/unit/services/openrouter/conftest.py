"""A client that speaks to the double over a real socket; every test begins with a fresh script."""

from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from devstack.openrouter.control import OpenRouterControl
from services.openrouter.client import OpenRouterClient
from services.openrouter.http import Http
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.streams import ModelStreams
from tests.support.double import running_double


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with running_double() as address:
        yield address


@pytest.fixture
async def double(address: str) -> AsyncIterator[OpenRouterControl]:
    control = OpenRouterControl(address)
    await control.reset()
    yield control
    await control.reset()
    await control.aclose()


@pytest.fixture
def settings(address: str) -> OpenRouterSettings:
    return OpenRouterSettings(base_url=f"{address}/api/v1", api_key=SecretStr("sk-or-test"))


@pytest.fixture
async def http(settings: OpenRouterSettings) -> AsyncIterator[Http]:
    async with Http(settings) as http:
        yield http


@pytest.fixture
def client(http: Http, settings: OpenRouterSettings) -> OpenRouterClient:
    return OpenRouterClient(http, settings)


@pytest.fixture
async def streams(client: OpenRouterClient) -> AsyncIterator[ModelStreams]:
    streams = ModelStreams(client)
    yield streams
    await streams.aclose()
