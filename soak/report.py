"""The report of a soak: a page for people, the same as Markdown with pictures, and the figures."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape

from devstack.stack import CLOUD, EDGE, HANDLERS, RESTATE
from soak import pictures
from soak.curves import OWN, Curves
from soak.history import Mark
from soak.options import Options
from soak.pictures import Frame, Series
from soak.quantiles import Points, buckets, per_second, percentile
from soak.tables import Outcome, Table, sections

COLOURS = {
    HANDLERS: pictures.BLUE,
    EDGE: pictures.ORANGE,
    RESTATE: pictures.GREEN,
    CLOUD: pictures.PURPLE,
    OWN: "#999999",
}


def write(options: Options, outcome: Outcome) -> None:
    """Write `soak.html`, `soak.md` with its `*.svg`, and `soak.json`."""
    drawn = _pictures(outcome)
    tables = sections(options, outcome)
    for name, svg in drawn.items():
        (options.folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    (options.folder / "soak.md").write_text(_markdown(outcome, tables, drawn), encoding="utf-8")
    (options.folder / "soak.html").write_text(_html(outcome, tables, drawn), encoding="utf-8")
    (options.folder / "soak.json").write_text(_figures(outcome), encoding="utf-8")


def _pictures(outcome: Outcome) -> dict[str, str]:
    history, curves = outcome.history, outcome.curves
    frame = Frame(outcome.ended, history.marks)
    return {
        "trouble": pictures.lanes(frame, "What was done to it", _lanes(history.marks)),
        "turns": pictures.chart(
            frame,
            "Messages accepted and answered",
            [
                Series("accepted", pictures.SKY, [per_second(history.accepts, outcome.ended, 120)]),
                Series("answered", pictures.BLUE, [per_second(history.turns, outcome.ended, 120)]),
            ],
            unit="per second",
        ),
        "accepted": _latency(frame, "From send to accepted", history.accepts),
        "answered": _latency(frame, "From send to the end of the answer", history.turns),
        "memory": pictures.chart(
            frame,
            "Memory",
            _lives(curves, {HANDLERS, EDGE, RESTATE, CLOUD, OWN}),
            unit="MB",
            height=320,
        ),
        "processor": pictures.chart(
            frame, "Processors used", _loads(curves, outcome.ended), unit="of a processor"
        ),
        "disk": pictures.chart(
            frame,
            "Restate's data on disk",
            [Series("disk", pictures.GREEN, [[(at, size) for at, size, _ in curves.disk]])],
            unit="MB",
        ),
    }


def _lanes(marks: Sequence[Mark]) -> list[tuple[str, str, list[Mark]]]:
    rows = [
        (name, COLOURS[name], [m for m in marks if m.what != "fault" and name in m.name.split("+")])
        for name in (HANDLERS, EDGE, RESTATE, CLOUD)
    ]
    faults = [mark for mark in marks if mark.what == "fault"]
    return [*rows, ("faults", pictures.RED, faults)]


def _latency(frame: Frame, title: str, samples: Points) -> str:
    parts = ((0.99, pictures.RED), (0.95, pictures.ORANGE), (0.5, pictures.BLUE))
    series = [
        Series(f"p{part * 100:g}", colour, [buckets(samples, frame.seconds, 120, _figure(part))])
        for part, colour in parts
    ]
    return pictures.chart(frame, title, series, unit="ms", logarithmic=True)


def _figure(part: float) -> Callable[[list[float]], float]:
    return lambda values: percentile(values, part)


def _lives(curves: Curves, names: set[str]) -> list[Series]:
    return [
        Series(
            name,
            colour,
            [life.memory for life in curves.lives if life.name == name],
            dashed=name in (OWN, CLOUD),
        )
        for name, colour in COLOURS.items()
        if name in names
    ]


def _loads(curves: Curves, seconds: float) -> list[Series]:
    return [
        Series(
            name,
            colour,
            [
                buckets(life.load(), seconds, 240, statistics.fmean)
                for life in curves.lives
                if life.name == name
            ],
            dashed=name in (OWN, CLOUD),
        )
        for name, colour in COLOURS.items()
    ]


def _figures(outcome: Outcome) -> str:
    history = outcome.history
    figures = {
        "passed": outcome.passed,
        "findings": [asdict(finding) for finding in history.findings],
        "marks": [asdict(mark) for mark in history.marks],
        "accepts": history.accepts,
        "turns": history.turns,
        "lives": [asdict(life) for life in outcome.curves.lives],
        "disk": outcome.curves.disk,
    }
    return json.dumps(figures)


def _verdict(outcome: Outcome) -> str:
    return "Every promise was kept." if outcome.passed else "Promises were broken."


def _markdown(outcome: Outcome, tables: dict[str, Table], drawn: dict[str, str]) -> str:
    lines = ["# A soak", "", f"**{_verdict(outcome)}**", ""]
    for heading, table in tables.items():
        lines += [f"## {heading}", ""]
        head, *rows = table
        if rows:
            lines += [_row(head), _row(tuple("---" for _ in head)), *map(_row, rows), ""]
        else:
            lines += [head[0], ""]
        if heading == "Promises":
            lines += [f"![{name}]({name}.svg)\n" for name in drawn]
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"


def _html(outcome: Outcome, tables: dict[str, Table], drawn: dict[str, str]) -> str:
    verdict = f'<p class="{"kept" if outcome.passed else "broken"}">{_verdict(outcome)}</p>'
    body = [f"<h1>A soak</h1>{verdict}<main>"]
    for heading, table in tables.items():
        wide = "" if heading in _SIDE_BY_SIDE else ' class="wide"'
        body.append(f"<section{wide}><h2>{escape(heading)}</h2>{_html_table(table)}</section>")
        if heading == "Promises":
            body += [f'<figure class="wide">{svg}</figure>' for svg in drawn.values()]
    body.append("</main>")
    return _PAGE.replace("BODY", "\n".join(body))


def _html_table(table: Table) -> str:
    if len(table) == 1:
        return f"<p>{escape(table[0][0])}</p>"
    head, *rows = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th"] + ["td"] * len(table), table, strict=False)
    )
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


_SIDE_BY_SIDE = ("What happened", "Promises")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A soak</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0 auto;
  max-width: 1040px; padding: 24px; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 12px 24px;
  align-items: start; }
.wide { grid-column: 1 / -1; }
h2 { margin: 20px 0 8px; font-size: 19px; }
table { border-collapse: collapse; background: #fff; font-size: 14px; }
td, th { border: 1px solid #dde1e6; padding: 4px 12px; text-align: left; vertical-align: top; }
figure { margin: 0; background: #fff; border: 1px solid #dde1e6; }
figure svg { display: block; width: 100%; height: auto; }
.kept, .broken { font-size: 18px; font-weight: 600; padding: 8px 14px; border-left: 6px solid; }
.kept { color: #00664b; background: #e3f4ee; }
.broken { color: #8c2f00; background: #fbe6da; }
</style></head><body>
BODY
</body></html>
"""
