"""`python -m soak`: an hour of load and trouble, and its report."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from soak.options import Options
from soak.run import soak


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak; 0 when every promise was kept, 1 when not."""
    given = _parser().parse_args(arguments)
    folder = given.folder or Path(".cache/soak") / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    options = Options(
        folder=folder.absolute(),
        minutes=given.minutes,
        rate=given.rate,
        threads=given.threads,
        long_threads=given.long_threads,
        tools=given.tools,
        generated=given.generated,
    )
    kept = asyncio.run(soak(options))
    print(f"{'Every promise was kept' if kept else 'PROMISES WERE BROKEN'}: {folder}/soak.html")
    return 0 if kept else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="of load (default 60)")
    parser.add_argument("--rate", type=float, default=6, help="turns a second (default 6)")
    parser.add_argument("--threads", type=int, default=40, help="short ones at a time (default 40)")
    parser.add_argument("--long-threads", type=int, default=4, help="(default 4)")
    parser.add_argument(
        "--tools",
        type=float,
        default=0.3,
        help="part of the short threads with tools (default 0.3)",
    )
    parser.add_argument(
        "--generated", type=int, default=20_000, help="generated calls after it (default 20,000)"
    )
    parser.add_argument(
        "--folder", type=Path, help="of the report (default: a new one below .cache)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
