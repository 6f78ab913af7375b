"""The OpenRouter double as a process of its own, for tests of what speaks to a model."""

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from devstack.processes import Command, Process, accepts_connections, free_port


@contextmanager
def running_double() -> Generator[str]:
    """The address of a double that listens; it is stopped at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="yocaso-double-") as folder:
        command = (sys.executable, "-m", "devstack.openrouter", "--port", str(port))
        process = Process(Command("openrouter", command, Path(folder) / "log", ports=(port,)))
        process.start()
        try:
            process.wait_ready(lambda: accepts_connections(port), 30)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()
