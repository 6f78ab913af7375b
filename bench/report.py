"""The table of goals, and the page that keeps a run of it."""

import argparse
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.measures import Figures


@dataclass(frozen=True, slots=True)
class Row:
    """One goal: a ratio computed within each round, and the bound that its median is held to."""

    name: str
    of: Callable[[Figures], float]
    bound: float
    at_least: bool = True
    unit: str = "x"

    def met(self, median: float) -> bool:
        """Whether the goal holds."""
        return median >= self.bound if self.at_least else median <= self.bound


def _over(top: str, bottom: str) -> Callable[[Figures], float]:
    return lambda figures: figures[top] / figures[bottom]


ROWS = (
    *(
        Row(
            f"authenticated no-op through the edge, requests/s against direct, c={c}",
            _over(f"edge.rps.{c}", f"direct.rps.{c}"),
            bound,
        )
        for c, bound in ((1, 0.65), (16, 0.55), (64, 0.55))
    ),
    Row(
        "the edge's CPU per forwarded request, c=16",
        lambda figures: figures["edge.cpu_ms.16"],
        0.6,
        at_least=False,
        unit=" ms",
    ),
    Row("refusal 401 against direct, c=16", _over("refusal.401.rps", "direct.rps.16"), 10),
    Row("refusal 404 against direct, c=16", _over("refusal.404.rps", "direct.rps.16"), 10),
    Row(
        "refusal 400 with three violations against direct, c=16",
        _over("refusal.400.rps", "direct.rps.16"),
        4,
    ),
    Row(
        "whole turns/s at c=16 against direct requests/s",
        _over("turn.rps.16", "direct.rps.16"),
        0.11,
    ),
    Row(
        "whole turn p50, c=1, against direct's p50",
        _over("turn.p50.1", "direct.p50.1"),
        13,
        at_least=False,
    ),
    Row(
        "send-message accepted, p50, c=1, against direct's",
        _over("accept.p50.1", "direct.p50.1"),
        5,
        at_least=False,
    ),
    Row(
        "conversation-state, reads/s at c=16 against direct",
        _over("state.rps.16", "direct.rps.16"),
        0.2,
    ),
    *(
        Row(
            f"{name} in a thread of 10,000 messages against 10",
            _over(f"history.{figure}.p50.long", f"history.{figure}.p50.short"),
            1.25,
            at_least=False,
        )
        for name, figure in (("turn", "turn"), ("acceptance", "accept"), ("newest page", "page"))
    ),
    Row(
        "newest page of 10,000 threads against 10",
        _over("list.p50.long", "list.p50.short"),
        1.5,
        at_least=False,
    ),
    Row(
        "one model call as a single durable step, requests/s at c=16 against direct",
        _over("step.rps.16", "direct.rps.16"),
        0.25,
    ),
)


def table(rounds: list[Figures]) -> str:
    """The goals that these rounds can speak of, as a Markdown table."""
    lines = ["| measure | goal | median | spread | |", "|---|---|---|---|---|"]
    for row in ROWS:
        try:
            values = [row.of(figures) for figures in rounds]
        except KeyError:
            continue  # not measured this time
        median = statistics.median(values)
        sign = "≥" if row.at_least else "≤"
        lines.append(
            f"| {row.name} | {sign} {row.bound:g}{row.unit} | {median:.3g}{row.unit} "
            f"| {min(values):.3g} to {max(values):.3g} "
            f"| {'met' if row.met(median) else '**not met**'} |"
        )
    return "\n".join(lines) + "\n"


def page(rounds: list[Figures], options: argparse.Namespace) -> str:
    """docs/benchmarks.md."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("restate-sdk", "granian", "aiohttp", "pydantic", "uvloop")
    )
    figures = [
        f"| {name} | {statistics.median(values):.4g} | {min(values):.4g} to {max(values):.4g} |"
        for name in sorted(rounds[0])
        if (values := [each[name] for each in rounds])
    ]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Made by `make bench`. Ratios of one run on one machine, medians over interleaved",
            "rounds; direct is a no-op handler called at Restate's ingress in the same round, with",
            "one partition and fsync on. The load generator shares the processors.",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {options.rounds} rounds of {options.seconds:g} s "
            "a figure, "
            f"{os.cpu_count()} processors, Python {platform.python_version()}, {versions}.",
            "",
            table(rounds),
            "## Figures",
            "",
            "Requests a second (`rps`), milliseconds (`p50`, `cpu_ms`).",
            "",
            "| figure | median | spread |",
            "|---|---|---|",
            *figures,
            "",
        ]
    )
