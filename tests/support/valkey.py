"""A real Valkey or Redis server for tests, where one is installed."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.processes import Command, Process, accepts_connections, free_port

START_SECONDS = 30


class RunningValkey:
    """A server on loopback that keeps nothing over a kill."""

    def __init__(self, program: str, folder: Path, password: str) -> None:
        self.port = free_port()
        self.url = f"redis://{password and f':{password}@'}127.0.0.1:{self.port}/0"
        secured = ("--requirepass", password) if password else ()
        arguments = (
            program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(folder), *secured,
        )  # fmt: skip
        command = Command("valkey", arguments, folder / "valkey.log", ports=(self.port,))
        self.process = Process(command)

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process.start()
        self.process.wait_ready(lambda: accepts_connections(self.port), START_SECONDS)


@contextmanager
def running_valkey(password: str = "") -> Generator[RunningValkey]:
    """A server for the length of the block, with a password if one is given; skips the test where
    none is installed."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no valkey-server or redis-server on the PATH (Debian: redis-server)")
    with tempfile.TemporaryDirectory(prefix="yocaso-valkey-") as folder:
        server = RunningValkey(program, Path(folder), password)
        server.start()
        try:
            yield server
        finally:
            server.process.stop()
