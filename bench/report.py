"""The table of goals, and the page that keeps a run of it."""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.measures import Figures

LONG_WAY, SHORT_WAY = "long way", "short way"


@dataclass(frozen=True, slots=True)
class Row:
    """One goal: a ratio computed within each round, and the bound that its median is held to."""

    name: str
    of: Callable[[Figures], float]
    bound: float
    at_least: bool = True
    unit: str = "x"
    short_bound: float | None = None
    """The goal of the short way, where it has its own."""

    def goal(self, way: str) -> float:
        """The bound that holds for this way."""
        short = way == SHORT_WAY and self.short_bound is not None
        return self.short_bound if short and self.short_bound is not None else self.bound

    def met(self, way: str, median: float) -> bool:
        """Whether the goal holds."""
        return median >= self.goal(way) if self.at_least else median <= self.goal(way)


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
        short_bound=9,
    ),
    Row(
        "send-message accepted, p50, c=1, against direct's",
        _over("accept.p50.1", "direct.p50.1"),
        5,
        at_least=False,
        short_bound=2.5,
    ),
    Row(
        "conversation-state, reads/s at c=16 against direct",
        _over("state.rps.16", "direct.rps.16"),
        0.2,
        short_bound=0.45,
    ),
    *(
        Row(
            f"{name} in a thread of 10,000 messages against 10",
            _over(f"history.{figure}.p50.long", f"history.{figure}.p50.10"),
            1.25,
            at_least=False,
        )
        for name, figure in (("turn", "turn"), ("acceptance", "accept"), ("newest page", "page"))
    ),
    Row(
        "compaction of a long thread, per 1,000 messages, beside the model's time",
        lambda figures: figures["compaction.ms_per_1000"],
        1000,
        at_least=False,
        unit=" ms",
    ),
    Row(
        "turn p50 with one call of a tool against one without",
        _over("tools.turn.p50.1", "tools.turn.p50.0"),
        4,
        at_least=False,
    ),
    Row(
        "turn p50 with 16 calls side by side against one call",
        _over("tools.turn.p50.16", "tools.turn.p50.1"),
        6,
        at_least=False,
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
    *(
        Row(
            f"{name}, requests/s against the same call without a credential, c=16",
            _over(f"identity.rps.{kind}", "identity.rps.none"),
            bound,
        )
        for name, kind, bound in (
            ("warm secret key", "secret_key", 0.85),
            ("warm token", "token", 0.85),
            ("warm publishable key and token", "publishable", 0.8),
        )
    ),
    *(
        Row(
            f"first call with a {kind} against the second, p50",
            _over(f"identity.cold_ms.{kind}", f"identity.warm_ms.{kind}"),
            bound,
            at_least=False,
        )
        for kind, bound in (("key", 3.0), ("token", 2.0))
    ),
    Row(
        "from revoke to refusal at two edges, p99, while 100 keys/s are revoked",
        lambda figures: figures["revocation.refused_s.p99"],
        10,
        at_least=False,
        unit=" s",
    ),
    Row(
        "an authenticated request meanwhile, p99, c=1",
        lambda figures: figures["revocation.request_ms.p99"],
        250,
        at_least=False,
        unit=" ms",
    ),
    Row(
        "OpenFGA check among 100,000 tuples against 10, p50, c=1",
        _over("openfga.check_ms.many", "openfga.check_ms.few"),
        1.5,
        at_least=False,
    ),
    Row(
        "from the model's first chunk to a reader's first live text, p50",
        lambda figures: figures["live.first_delta_ms.p50"],
        50,
        at_least=False,
        unit=" ms",
    ),
    Row(
        "from Cancel to the closed upstream connection, p99",
        lambda figures: figures["live.cancel_ms.p99"],
        1000,
        at_least=False,
        unit=" ms",
    ),
    Row(
        "1,000 runs at once on a model that takes 10 s: all complete; memory of the handlers",
        lambda figures: figures["runs.handlers_mb"],
        400,
        at_least=False,
        unit=" MB",
    ),
    Row(
        "200 readers on 200 running turns: readers that lost anything",
        lambda figures: figures["readers.lost"],
        0,
        at_least=False,
        unit="",
    ),
)


def _values(row: Row, rounds: list[Figures]) -> Iterator[float]:
    for figures in rounds:
        with contextlib.suppress(KeyError):
            yield row.of(figures)


def table(way: str, rounds: list[Figures]) -> str:
    """The goals that these rounds can speak of, as a Markdown table."""
    lines = ["| measure | goal | median | spread | |", "|---|---|---|---|---|"]
    for row in ROWS:
        values = list(_values(row, rounds))
        if not values:
            continue  # not measured this time
        median = statistics.median(values)
        sign = "≥" if row.at_least else "≤"
        lines.append(
            f"| {row.name} | {sign} {row.goal(way):g}{row.unit} | {median:.3g}{row.unit} "
            f"| {min(values):.3g} to {max(values):.3g} "
            f"| {'met' if row.met(way, median) else '**not met**'} |"
        )
    return "\n".join(lines) + "\n"


def page(seen: dict[str, list[Figures]], options: argparse.Namespace) -> str:
    """docs/benchmarks.md."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("restate-sdk", "granian", "aiohttp", "pydantic", "uvloop")
    )
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`. Ratios of one run on one machine, medians over interleaved rounds;",
        "direct is a no-op handler called at Restate's ingress in the same round, with one",
        "partition and fsync on. The load generator shares the processors. The short way",
        "(`EDGE_SHORT_WAYS`) leaves out the gateway's hop.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {options.rounds} rounds of {options.seconds:g} s a figure, "
        f"{os.cpu_count()} processors, Python {platform.python_version()}, {versions}.",
        "",
    ]
    for way, rounds in seen.items():
        lines += [f"## The {way}", "", table(way, rounds)]
        lines += ["Requests a second (`rps`), milliseconds (`p50`, `cpu_ms`):", ""]
        lines += ["| figure | median | spread |", "|---|---|---|"]
        for name in sorted(rounds[-1]):
            values = [figures[name] for figures in rounds if name in figures]
            spread = f"{min(values):.4g} to {max(values):.4g}"
            lines.append(f"| {name} | {statistics.median(values):.4g} | {spread} |")
        lines.append("")
    return "\n".join(lines)
