"""The Restate server as a child process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.processes import ProcessError, free_port
from devstack.restate import RestateOptions, RestateServer


def options(path: Path, admin_port: int) -> RestateOptions:
    """A server for one test."""
    return RestateOptions(path / "data", path / "restate.log", admin_port=admin_port, fsync=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RestateServer]:
    """A running server."""
    server = RestateServer(options(tmp_path, free_port()))
    server.start()
    server.wait_ready()
    yield server
    server.close()


def test_a_killed_server_answers_again_on_the_same_address(server: RestateServer) -> None:
    server.process.kill()
    assert not server.answers_queries()
    server.start()
    server.wait_ready()
    assert server.query("SELECT 1 AS one") == [{"one": 1}]


def test_a_server_whose_port_is_taken_does_not_start(server: RestateServer, tmp_path: Path) -> None:
    admin_port = int(server.admin_url.rsplit(":", 1)[1])
    second = RestateServer(options(tmp_path / "second", admin_port))
    with pytest.raises(ProcessError):
        second.start()
    second.close()


def test_an_address_where_nobody_listens_cannot_be_registered(server: RestateServer) -> None:
    with pytest.raises(ProcessError):
        server.register(f"http://127.0.0.1:{free_port()}")
