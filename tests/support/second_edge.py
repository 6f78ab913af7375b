"""A second edge before the same platform, as production has several."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from devstack.processes import Command, Process, accepts_connections, free_port
from devstack.stack import EDGE
from tests.support.stack import RunningStack

_START_SECONDS = 30


@contextmanager
def second_edge(stack: RunningStack) -> Generator[str]:
    """The base URL of another edge with the settings of the stack's own."""
    port, private_port = free_port(), free_port()
    first = stack.processes.processes[EDGE].command
    command = Command(
        "edge-2",
        (sys.executable, "-m", "app", "edge", "--port", str(port)),
        first.log_path.with_name("edge-2.log"),
        {**first.environment, "EDGE_PRIVATE_PORT": str(private_port)},
        (port, private_port),
    )
    process = Process(command)
    process.start()
    try:
        process.wait_ready(lambda: accepts_connections(port), _START_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()
