"""What came of a soak, as tables."""

from collections import Counter
from dataclasses import dataclass, field

from soak.audit import Audit
from soak.checks import PROMISES
from soak.curves import Curves
from soak.generated import Generated
from soak.history import History
from soak.options import Options
from soak.quantiles import Points, percentile

MORE_PROMISES = (
    "every run ends",
    "live text is the beginning of the answer",
    "a run fails only when the vendor does",
    "clients are answered",
    "errors have one form",
    "pages are in order",
    "readers are let in",
    "processes live",
    "processes come back",
    "the soak watches",
)
_MOST_SHOWN = 200


@dataclass
class Outcome:
    """All that came of a soak. `log_lines`: the error lines of the programs' logs, by program."""

    history: History
    curves: Curves
    audit: Audit
    ended: float
    generated: Generated | None = None
    log_lines: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def passed(self) -> bool:
        """Whether every promise was kept, and memory, too."""
        leaks = [growth for growth in self.curves.growths() if growth.too_much]
        calls = self.generated is None or self.generated.passed
        return not self.history.findings and not leaks and calls


Table = list[tuple[str, ...]]


def sections(options: Options, outcome: Outcome) -> dict[str, Table]:
    """Tables by heading; the first row of each is its head."""
    found = {
        "What happened": _summary(options, outcome),
        "Promises": _promises(outcome.history),
        "Memory": _memory(outcome.curves),
        "What clients were told to try again": _counted(outcome.history.refusals, "answer"),
        "Runs that failed": _counted(outcome.audit.failures, "reason"),
        "Calls of tools": _counted(outcome.audit.calls, "tool, and what became of it"),
        "Events": _counted(outcome.audit.events, "type"),
        "Errors in the logs": _counted(
            Counter(
                f"{name}: {line}" for name, lines in outcome.log_lines.items() for line in lines
            ),
            "line",
        ),
    }
    if outcome.history.findings:
        shown = outcome.history.findings[:_MOST_SHOWN]
        rows = [(f"{each.at / 60:.1f}", each.promise, each.text) for each in shown]
        found["Broken"] = [("minute", "promise", "what was seen"), *rows]
    return found


def _summary(options: Options, outcome: Outcome) -> Table:
    history = outcome.history
    accepted = sum(len(story.accepted) for story in history.stories)
    longest = max((len(story.said) for story in history.stories), default=0)
    did = Counter(mark.what for mark in history.marks)
    killed = Counter(n for m in history.marks if m.what == "kill" for n in m.name.split("+"))
    rows = [
        ("load", f"{_lasted(options, history)} at {options.rate:g} turns/s"),
        ("messages accepted", f"{accepted:,}"),
        ("threads", f"{len(history.stories):,}; the longest has {longest:,} messages of users"),
        ("accepted after", _times(history.accepts)),
        ("answered after", _times(history.turns)),
        ("cancels", f"{history.counts['cancels']:,}"),
        ("approvals decided", f"{history.counts['approvals decided']:,}"),
        ("visits of readers", f"{history.counts['visits of readers']:,}"),
        ("events seen by readers", f"{sum(s.last for t in history.stories for s in t.seen):,}"),
        ("processes killed with -9", f"{did['kill']}"),
        ("of these", ", ".join(f"{name} {times}" for name, times in killed.most_common())),
        ("processes stopped, frozen", f"{did['stop']}, {did['freeze']}"),
        ("faults of the vendor", f"{did['fault']}"),
        ("turns held back", f"{history.counts['turns held back']:,}"),
        ("disk", f"{outcome.curves.bytes_per_turn() / 1000:.1f} kB a turn"),
    ]
    if outcome.generated:
        verdict = "passed" if outcome.generated.passed else "FAILED"
        told = f"{outcome.generated.calls:,}, {verdict}: {outcome.generated.text}"
        rows.append(("generated calls", told))
    return [("", ""), *rows]


def _lasted(options: Options, history: History) -> str:
    if history.ends_at < options.seconds:
        return f"{history.ends_at / 60:.1f} of {options.minutes:g} min, broken off,"
    return f"{options.minutes:g} min"


def _promises(history: History) -> Table:
    broken = Counter(finding.promise for finding in history.findings)
    names = [*PROMISES, *MORE_PROMISES]
    names += [name for name in broken if name not in names]
    rows = [(name, f"broken {broken[name]} times" if broken[name] else "kept") for name in names]
    return [("promise", ""), *rows]


def _memory(curves: Curves) -> Table:
    rows = [
        (
            growth.life.name,
            f"{growth.minutes:.0f} min",
            f"{growth.before:.0f} MB",
            f"{growth.after:.0f} MB",
            f"{growth.per_hour:+.1f} MB/h",
            f"{growth.allowed:.0f} MB",
            "GROWS" if growth.too_much else "steady",
        )
        for growth in curves.growths()
    ]
    if not rows:
        return [("No process lived long enough to be judged.",)]
    return [("process", "judged over", "at first", "at last", "growth", "allowed", ""), *rows]


def _counted(counts: Counter[str], what: str) -> Table:
    if not counts:
        return [("None.",)]
    return [(what, "times"), *((name, f"{times:,}") for name, times in counts.most_common(40))]


def _times(samples: Points) -> str:
    if not samples:
        return "never"
    p50, p95, p99 = (percentile([ms for _, ms in samples], part) for part in (0.5, 0.95, 0.99))
    return f"p50 {p50:,.0f} ms, p95 {p95:,.0f} ms, p99 {p99:,.0f} ms"
