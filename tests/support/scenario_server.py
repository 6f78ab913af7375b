"""The parts of the scenarios as a Restate endpoint of its own, behind a real server."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import restate
import restate.server

from chassis.serve import restate_service
from devstack.processes import Command, Process, accepts_connections, free_port
from devstack.restate import RestateOptions, RestateServer
from tests.support import scenario_parts

_START_SECONDS = 30
_REPLAY = "SCENARIOS_FORCE_REPLAY"


def handlers() -> object:
    """The endpoint, for granian to load by name."""
    # The SDK takes SIGTERM for itself on the first request, and granian would never end then.
    cast("Any", restate.server).install_shutdown_hook = _leave_signals_alone
    return restate.app(
        services=[
            restate_service(
                each.component,
                list(each.handlers),
                each.description,
                force_replay=_REPLAY in os.environ,
            )
            for each in scenario_parts.registered()
        ]
    )


def _leave_signals_alone(*_args: object, **_kwargs: object) -> None:
    """In place of the SDK's hook."""


@contextmanager
def scenario_server(*, force_replay: bool) -> Generator[RestateServer]:
    """A real Restate server with the parts registered."""
    with tempfile.TemporaryDirectory(prefix="yocaso-scenario-", ignore_cleanup_errors=True) as path:
        folder = Path(path)
        server = RestateServer(
            RestateOptions(
                folder / "restate",
                folder / "restate.log",
                fsync=False,
                inactivity_timeout="0s" if force_replay else None,
            )
        )
        port = free_port()
        endpoint = Process(_endpoint(folder, port, force_replay=force_replay))
        try:
            server.start()
            endpoint.start()
            server.wait_ready(_START_SECONDS)
            endpoint.wait_ready(lambda: accepts_connections(port), _START_SECONDS)
            server.register(f"http://127.0.0.1:{port}")
            yield server
        finally:
            endpoint.stop()
            server.close()


def _endpoint(folder: Path, port: int, *, force_replay: bool) -> Command:
    arguments = (
        sys.executable, "-m", "granian", "--interface", "asgi", "--http", "2",
        "--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--no-access-log",
        "--factory", "tests.support.scenario_server:handlers",
    )  # fmt: skip
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    if force_replay:
        environment[_REPLAY] = "1"
    return Command("scenarios", arguments, folder / "handlers.log", environment, (port,))
