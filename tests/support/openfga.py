"""The real OpenFGA server for tests, where it is installed."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr

from devstack import openfga
from devstack.openfga import OpenFgaOptions, OpenFgaServer
from services.openfga.settings import OpenFgaSettings

START_SECONDS = 30


def need_openfga() -> None:
    """Skip the test where the server is not installed."""
    if openfga.binary() is None:
        pytest.skip("no OpenFGA server: not on the PATH, and `make openfga` has not built one")


@contextmanager
def running_openfga() -> Generator[OpenFgaServer]:
    """A server with an empty database, without the platform."""
    with tempfile.TemporaryDirectory(prefix="yocaso-openfga-") as folder:
        server = OpenFgaServer(OpenFgaOptions(Path(folder), Path(folder) / "openfga.log"))
        server.migrate()
        server.process.start()
        try:
            wait_ready(server)
            yield server
        finally:
            server.process.stop()


def wait_ready(server: OpenFgaServer) -> None:
    """Wait until it answers."""
    server.process.wait_ready(server.answers, START_SECONDS)


def settings_of(server: OpenFgaServer, store: str = "yocaso") -> OpenFgaSettings:
    """How the platform finds the server."""
    return OpenFgaSettings(
        api_url=HttpUrl(server.url),
        api_token=SecretStr(server.settings["OPENFGA_API_TOKEN"]),
        store=store,
    )
