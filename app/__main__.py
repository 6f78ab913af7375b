"""`python -m app`: the platform's two processes, and what people ask or tell about it.

A process that serves has a parent which only watches it; what is imported at the top here is
what that parent weighs, so everything else is imported where it is used.
"""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server.mp import MPServer

# In flight invocations end or move elsewhere within this time after SIGTERM.
_KILL_SECONDS = 10
WRONG_SETTING = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a process until it is stopped, or do one thing.

    The exit code is 2 for a wrong setting.
    """
    options = _parser().parse_args(arguments)
    return _telling_mistakes(lambda: options.run(options) or 0)


def _telling_mistakes(run: Callable[[], int]) -> int:
    """What `run` returns; mistakes in the settings are told, a sentence each."""
    try:
        return run()
    except Exception as error:
        from chassis.settings import SettingsError

        if not isinstance(error, SettingsError):
            raise
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        return WRONG_SETTING


def _handlers(options: argparse.Namespace) -> int:
    # Restate speaks HTTP/2, who asks for /health HTTP/1.1.
    return serve("app.handlers_server:create", options.host, options.port, HTTPModes.auto)


def _edge(options: argparse.Namespace) -> int:
    if options.private_port is not None:
        os.environ["EDGE_PRIVATE_PORT"] = str(options.private_port)
    return serve("app.edge_server:create", options.host, options.port, HTTPModes.http1)


def _ask(options: argparse.Namespace) -> int:
    from app import commands

    return commands.run(options)


def _register(options: argparse.Namespace) -> int:
    from app.register import RegistrationError, register
    from app.settings import read_register

    where = read_register()
    try:
        services = register(where, force=options.force, seconds=options.seconds)
    except RegistrationError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Registered {len(services)} services: {', '.join(services)}")
    return 0


def _authorization(options: argparse.Namespace) -> int:
    from app.authorization import prepare
    from app.settings import read_openfga
    from errors import RpcError

    where = read_openfga()
    try:
        store_id, model_id = prepare(where, options.seconds)
    except RpcError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return 1
    print(f"Store {store_id} has the model {model_id}")
    return 0


class _Server(MPServer):
    """granian's server, which keeps its workers in sight after they have ended."""

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        super().startup(spawn_target, target_loader)  # pyright: ignore[reportUnknownMemberType]
        self._started: list[Any] = list(self.wrks)

    def exit_codes(self) -> list[int | None]:
        """How the workers have ended."""
        return [worker.inner.exitcode for worker in self._started]


def _load(target: str) -> Callable[..., Any]:
    """What the worker serves. The garbage collector looks at none of it, now or ever: it finds
    nothing in code and contracts, and costs a sixth of the start and a share of every later run.
    """
    module, function = target.split(":")
    gc.disable()
    try:
        return getattr(importlib.import_module(module), function)()
    finally:
        gc.freeze()
        gc.enable()


def serve(target: str, host: str, port: int, http: HTTPModes) -> int:
    """Serve an application factory, named `module:function`, until SIGTERM.

    The settings are read by the worker alone, which tells its mistakes and ends with the code that
    is returned here: importing what reads them takes longer than anything else at start.
    """
    # One worker: streams and the bus belong to a process. More processes instead.
    server = _Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=http,
        loop=Loops.uvloop,
        workers=1,
        workers_kill_timeout=_KILL_SECONDS,
        log_enabled=False,
        backpressure=10_000,
    )
    try:
        server.serve(target_loader=_load)
    except SystemExit:
        # granian knows only that a worker has ended.
        if WRONG_SETTING in server.exit_codes():
            return WRONG_SETTING
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, port, text in (
        ("handlers", _handlers, 9080, "serve the handlers that Restate calls"),
        ("edge", _edge, 8000, "serve the public API (HTTP/1.1)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
        )
        command.add_argument(
            "--port", type=int, default=port, help="port to listen on (default: %(default)s)"
        )
        command.set_defaults(run=run)
        if name == "edge":
            command.add_argument(
                "--private-port", type=int, help="port of /metrics and /statusz (operators only)"
            )
    for name, text in (
        ("check", "check that everything fits together, and show it"),
        ("routes", "show every public method"),
        ("generate", "write openapi.json, KrakenD's file and the pages"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=_ask, command=name)
        if name != "generate":
            command.add_argument("--json", action="store_true", help="as JSON")
    text = "make OpenFGA's store, and write the model of this version where it is missing"
    command = commands.add_parser("authorization", help=text, description=text)
    command.add_argument("--seconds", type=float, default=60, help="how long to wait for OpenFGA")
    command.set_defaults(run=_authorization)
    _add_register(commands.add_parser("register", help="tell Restate where the handlers are"))
    return parser


def _add_register(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--force",
        action="store_true",
        help="replace what Restate knows of this address (development only)",
    )
    command.add_argument(
        "--seconds", type=float, default=60, help="how long to wait for Restate and the handlers"
    )
    command.set_defaults(run=_register)


if __name__ == "__main__":
    sys.exit(main())
