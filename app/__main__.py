"""`python -m app`: the platform's two processes, and what people ask or tell about it."""

import argparse
import os
import sys
from collections.abc import Sequence

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from app import settings
from chassis.settings import SettingsError
from errors import RpcError

# In flight invocations end or move elsewhere within this time after SIGTERM.
_KILL_SECONDS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a process until it is stopped, or do one thing.

    The exit code is 2 for a wrong setting.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except SettingsError as error:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        return 2


def _handlers(options: argparse.Namespace) -> None:
    settings.HandlersConfig.read()
    # Restate speaks HTTP/2, who asks for /health HTTP/1.1.
    serve("app.handlers_server:create", options.host, options.port, HTTPModes.auto)


def _edge(options: argparse.Namespace) -> None:
    if options.private_port is not None:
        os.environ["EDGE_PRIVATE_PORT"] = str(options.private_port)
    settings.read_edge()
    serve("app.edge_server:create", options.host, options.port, HTTPModes.http1)


def _ask(options: argparse.Namespace) -> int:
    # Imported here, because the edge's process has no use for all handlers.
    from app import commands

    return commands.run(options)


def _register(options: argparse.Namespace) -> int:
    # Imported here: the two processes start without an HTTP client.
    from app.register import RegistrationError, register

    where = settings.read_register()
    try:
        services = register(where, force=options.force, seconds=options.seconds)
    except RegistrationError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Registered {len(services)} services: {', '.join(services)}")
    return 0


def _authorization(options: argparse.Namespace) -> int:
    # Imported here: no other command needs OpenFGA's library.
    from app.authorization import prepare

    where = settings.read_openfga()
    try:
        store_id, model_id = prepare(where, options.seconds)
    except RpcError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return 1
    print(f"Store {store_id} has the model {model_id}")
    return 0


def serve(target: str, host: str, port: int, http: HTTPModes) -> None:
    """Serve an application factory, named `module:function`, until SIGTERM."""
    # One worker: streams and the bus belong to a process. More processes instead.
    Server(
        target,
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=http,
        loop=Loops.uvloop,
        workers=1,
        workers_kill_timeout=_KILL_SECONDS,
        log_enabled=False,
        backpressure=10_000,
    ).serve()


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
