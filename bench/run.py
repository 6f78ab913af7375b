"""Rounds of all measures against one stack, and what came of them."""

import argparse
import json
import statistics
import sys
from pathlib import Path

from bench import measures
from bench.history import live_through_history
from bench.live import many_readers, many_runs
from bench.measures import Figures, Measure
from bench.platform import Platform, running
from bench.report import LONG_WAY, SHORT_WAY, page, table

_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


async def measure(options: argparse.Namespace) -> int:
    """Measure, print the tables, and write the page where that is asked for."""
    chosen = _chosen(options.only)
    if not chosen:
        names = ", ".join(each.__name__ for each in measures.ROUND)
        print(f"--only takes some of: {names}", file=sys.stderr)
        return 2
    ways = (LONG_WAY, SHORT_WAY) if options.way == "both" else (f"{options.way} way",)
    seen = {way: await _rounds(way, chosen, options) for way in ways}
    for way, rounds in seen.items():
        _tell(way, rounds)
    if options.json:
        Path(options.json).write_text(json.dumps(seen, indent=1), encoding="utf-8")
    if options.write:
        _PAGE.write_text(page(seen, options), encoding="utf-8")
    return 0


async def _rounds(way: str, chosen: list[Measure], options: argparse.Namespace) -> list[Figures]:
    rounds: list[Figures] = []
    environment = {"EDGE_SHORT_WAYS": '["*"]'} if way == SHORT_WAY else {}
    async with running(environment) as platform:
        await _prepare(platform, chosen, options)
        for number in range(options.rounds + 1):
            # The first round warms up and is not counted.
            seconds = options.seconds if number else min(options.seconds, 1.0)
            figures: Figures = {}
            for each in chosen:
                figures |= await each(platform, seconds)
            if number == options.rounds and not options.only:
                # Once, because it takes long and is about memory and losses, not about time.
                figures |= await many_runs(platform, options.runs)
                figures |= await many_readers(platform, options.readers)
            if number:
                rounds.append(figures)
            print(f"{way}: round {number} of {options.rounds}", file=sys.stderr)
    return rounds


def _chosen(only: str) -> list[Measure]:
    """The measures of a round; `direct` is always among them, everything is compared with it."""
    wanted = {name for name in only.split(",") if name}
    known = {each.__name__ for each in measures.ROUND}
    if wanted - known:
        return []
    return [
        each
        for each in measures.ROUND
        if not wanted or each.__name__ in wanted or each is measures.direct
    ]


async def _prepare(platform: Platform, chosen: list[Measure], options: argparse.Namespace) -> None:
    if measures.history in chosen or measures.compaction in chosen:
        await live_through_history(platform, options.messages)
    if measures.lists in chosen:
        await measures.live_through_threads(platform, options.threads)


def _tell(way: str, rounds: list[Figures]) -> None:
    print(f"{way}\n\n{table(way, rounds)}")
    for name in sorted(rounds[-1]):
        values = [figures[name] for figures in rounds if name in figures]
        print(f"{name:28} {statistics.median(values):10.2f}  {min(values):.2f}..{max(values):.2f}")
