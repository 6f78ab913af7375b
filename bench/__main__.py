"""`python -m bench`: measure, or `compare A B`; `handlers` and `edge` are what is measured."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from granian.constants import HTTPModes

from app.__main__ import serve
from bench.compare import DEFAULT_MEASURES, compare

_ONLY = "names of measures, separated by commas"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, or one of its servers."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def _handlers(options: argparse.Namespace) -> int:
    serve("bench.servers:handlers", options.host, options.port, HTTPModes.http2)
    return 0


def _edge(options: argparse.Namespace) -> int:
    serve("bench.servers:edge", options.host, options.port, HTTPModes.http1)
    return 0


def _measure(options: argparse.Namespace) -> int:
    from bench.run import measure  # the servers need none of it

    return asyncio.run(measure(options))


def _compare(options: argparse.Namespace) -> int:
    return compare(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.set_defaults(run=_measure)
    _add_size(parser, 10_000)
    parser.add_argument("--runs", type=int, default=1000, help="at once (default 1,000)")
    parser.add_argument("--readers", type=int, default=200, help="at once (default 200)")
    parser.add_argument("--only", default="", help=_ONLY)
    parser.add_argument(
        "--way",
        choices=("long", "short", "both"),
        default="both",
        help="with the gateway's hop, without it, or both one after the other (default)",
    )
    parser.add_argument("--json", default="", help="also write the figures of all rounds here")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    commands = parser.add_subparsers(metavar="COMMAND")
    command = commands.add_parser("compare", help="measure two commits against each other")
    command.add_argument("a", metavar="A", help="a commit")
    command.add_argument("b", metavar="B", help="the commit that is compared with it")
    _add_size(command, 1000)
    command.add_argument("--only", default=DEFAULT_MEASURES, help=_ONLY)
    command.add_argument("--way", choices=("long", "short"), default="long")
    command.set_defaults(run=_compare)
    for name, run in (("handlers", _handlers), ("edge", _edge)):
        command = commands.add_parser(name, help=f"the {name} under test")
        command.add_argument("--host", default="127.0.0.1")
        command.add_argument("--port", type=int, required=True)
        command.set_defaults(run=run)
    return parser


def _add_size(parser: argparse.ArgumentParser, large: int) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument(
        "--seconds", type=float, default=3, help="of load for each figure (default 3)"
    )
    parser.add_argument(
        "--messages", type=int, default=large, help=f"of the long thread (default {large:,})"
    )
    parser.add_argument(
        "--threads", type=int, default=large, help=f"of the long list (default {large:,})"
    )


if __name__ == "__main__":
    sys.exit(main())
