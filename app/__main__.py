"""`python -m app`: the platform's two processes, and what people ask or tell about it.

A process that serves has a parent which only watches it; what is imported at the top here is
what that parent weighs, so everything else is imported where it is used.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

# In flight invocations end or move elsewhere within this time after SIGTERM.
_KILL_SECONDS = 10


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
        return 2


def _check_settings(read: Callable[[], object]) -> None:
    """End with the mistakes if there are any. They are looked for in a process of its own: the
    one that goes on as the watching parent would keep all that reading them imports."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _telling_mistakes(lambda: 0 if read() is not None else 1)
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(code)


def _handlers(options: argparse.Namespace) -> None:
    def read() -> object:
        from app.settings import HandlersConfig

        return HandlersConfig.read()

    _check_settings(read)
    # Restate speaks HTTP/2, who asks for /health HTTP/1.1.
    serve("app.handlers_server:create", options.host, options.port, HTTPModes.auto)


def _edge(options: argparse.Namespace) -> None:
    if options.private_port is not None:
        os.environ["EDGE_PRIVATE_PORT"] = str(options.private_port)

    def read() -> object:
        from app.settings import read_edge

        return read_edge()

    _check_settings(read)
    serve("app.edge_server:create", options.host, options.port, HTTPModes.http1)


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
