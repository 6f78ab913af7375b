"""The script that asks the program of a container whether it answers."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from deploy.image import healthcheck


@contextmanager
def answering(first_line: bytes) -> Generator[int]:
    """The port of a server that answers one request with this line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(first_line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("python -m app edge --host 0.0.0.0", (8000, "/healthz")),
        ("python -m app handlers --host 0.0.0.0 --port 9081", (9081, "/health")),
        ("docker-init -- python -m app edge --port 80", (80, "/healthz")),
        ("python -m devstack.cloud --port 8090", (8090, "/faults")),
    ],
)
def test_the_command_line_says_what_to_ask(command: str, asked: tuple[int, str]) -> None:
    assert healthcheck.probe(command.split()) == asked


def test_a_container_that_serves_nothing_is_not_healthy() -> None:
    with pytest.raises(ValueError, match="no health"):
        healthcheck.probe(["python", "-m", "app", "register"])


def test_the_status_of_the_answer_is_what_counts() -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as port:
        assert healthcheck.status(port, "/healthz") == 503


def test_a_connection_without_an_answer_is_not_a_status() -> None:
    with answering(b"") as port, pytest.raises(IndexError):
        healthcheck.status(port, "/healthz")
