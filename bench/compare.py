"""Two commits on one machine: `python -m bench compare A B`.

Each commit gets a work tree of its own below `.cache/compare`, with what its own locks say
installed, and is measured by its own benchmark. Rounds are interleaved, and the commit that goes
first changes, so that a machine that grows slower is as slow for both. A figure's ratio is taken
within each round; where the rounds do not agree on a side, or are few, nothing was shown. The goals
come first: they are against the direct handler of the same round, which takes much of the machine's
moods out.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.report import ROWS

Figures = dict[str, float]
_ROOT = Path(__file__).parents[1]
_TREES = Path(".cache/compare")
ENOUGH_ROUNDS = 5
"""That many rounds agree by chance once in sixteen times."""
DEFAULT_MEASURES = "edge,turns,acceptance,reads,single_step"
"""Those that need no long preparation: each round starts a stack of its own."""


class CompareError(Exception):
    """A commit could not be measured. The text is a sentence for a person."""


@dataclass(frozen=True)
class Row:
    """One figure of both commits; `ratios` are B's against A's, one for each round."""

    name: str
    a: float
    b: float
    ratios: tuple[float, ...]

    @property
    def shown(self) -> str:
        """What the rounds agree on, or nothing; few rounds agree by chance."""
        if len(self.ratios) < ENOUGH_ROUNDS:
            return ""
        if min(self.ratios) > 1:
            return "more"
        return "less" if max(self.ratios) < 1 else ""


def compare(options: argparse.Namespace) -> int:
    """Measure both and print the table."""
    try:
        a, b = (_prepared(name) for name in (options.a, options.b))
        pairs: list[tuple[Figures, Figures]] = []
        for number in range(options.rounds):
            order = (a, b) if number % 2 == 0 else (b, a)
            seen = {tree: _measured(tree, options) for tree in order}
            pairs.append((seen[a], seen[b]))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    except (CompareError, subprocess.CalledProcessError) as error:
        print(f"The comparison failed. {error}", file=sys.stderr)
        return 1
    print(f"A is {_told(a)}\nB is {_told(b)}\n")
    print(table(rows_of(pairs)))
    return 0


def rows_of(pairs: list[tuple[Figures, Figures]]) -> list[Row]:
    """The goals, then the figures that both have in every round."""
    pairs = [(_with_goals(a), _with_goals(b)) for a, b in pairs]
    every = [figures for pair in pairs for figures in pair]
    rows: list[Row] = []
    for name in every[0]:
        if not all(figures.get(name) for figures in every):
            continue  # one of them lacks it, or has nothing to divide by
        of_a, of_b = ([pair[side][name] for pair in pairs] for side in (0, 1))
        ratios = tuple(mine / theirs for theirs, mine in zip(of_a, of_b, strict=True))
        rows.append(Row(name, statistics.median(of_a), statistics.median(of_b), ratios))
    return rows


def _with_goals(figures: Figures) -> Figures:
    """The goals that these figures can speak of, then the figures by name."""
    goals: Figures = {}
    for row in ROWS:
        with contextlib.suppress(KeyError):
            goals[row.name] = row.of(figures)
    return goals | dict(sorted(figures.items()))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| figure | A | B | B / A | spread | B is |", "|---|---|---|---|---|---|"]
    for row in rows:
        median, low, high = statistics.median(row.ratios), min(row.ratios), max(row.ratios)
        lines.append(
            f"| {row.name} | {row.a:.4g} | {row.b:.4g} | {median:.3f} "
            f"| {low:.3f} to {high:.3f} | {row.shown} |"
        )
    return "\n".join(lines)


def _prepared(name: str) -> Path:
    """A work tree of the commit, with its own environment."""
    found = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not found:
        raise CompareError(f"There is no commit {name}.")
    tree = _ROOT / _TREES / found[:12]
    if not (tree / ".git").exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", "--force", str(tree), found)
    print(f"Preparing {_told(tree)}", file=sys.stderr)
    subprocess.run(("make", "--silent", "setup"), cwd=tree, check=True)  # noqa: S607
    return tree


def _measured(tree: Path, options: argparse.Namespace) -> Figures:
    """One round of one commit, by its own benchmark."""
    path = tree / ".cache" / "figures.json"
    command = (
        str(tree / ".venv/bin/python"), "-m", "bench", "--rounds", "1",
        "--seconds", str(options.seconds), "--only", options.only, "--way", options.way,
        "--messages", str(options.messages), "--threads", str(options.threads),
        "--json", str(path),
    )  # fmt: skip
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CompareError(f"{_told(tree)} could not be measured:\n{done.stdout}{done.stderr}")
    ((figures,),) = json.loads(path.read_text(encoding="utf-8")).values()
    return figures


def _told(tree: Path) -> str:
    return _git("log", "-1", "--format=%h %s", cwd=tree)


def _git(*arguments: str, cwd: Path = _ROOT) -> str:
    command = ("git", *arguments)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()
