"""`python -m app`: the platform's two processes, and what people ask about it."""

import argparse
import os
import sys
from collections.abc import Sequence

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from app import settings
from chassis.settings import SettingsError

# In flight invocations end or move elsewhere within this time after SIGTERM.
_KILL_SECONDS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a process until it is stopped, or answer a question.

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
    serve("app.handlers_server:create", options.host, options.port, HTTPModes.http2)


def _edge(options: argparse.Namespace) -> None:
    if options.private_port is not None:
        os.environ["EDGE_PRIVATE_PORT"] = str(options.private_port)
    settings.read_edge()
    serve("app.edge_server:create", options.host, options.port, HTTPModes.http1)


def _ask(options: argparse.Namespace) -> int:
    # Imported here, because the edge's process has no use for all handlers.
    from app import commands

    return commands.run(options)


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
        ("handlers", _handlers, 9080, "serve the handlers that Restate calls (HTTP/2)"),
        ("edge", _edge, 8000, "serve the public API (HTTP/1.1)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--host", default="127.0.0.1", help="address to listen on")
        command.add_argument("--port", type=int, default=port, help="port to listen on")
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
