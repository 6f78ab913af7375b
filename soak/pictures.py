"""Pictures as SVG: curves over the minutes of a soak, and a lane for each kind of trouble.

Plain functions from numbers to text, without a library: what is drawn is little, and a report that
opens everywhere has no scripts. Colours are Okabe and Ito's, which most people can tell apart.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from soak.history import Mark
from soak.quantiles import Points

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9",
)  # fmt: skip
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 1000, 84, 20, 44, 30
_INK, _PALE = "#333", "#e3e6ea"


@dataclass(frozen=True)
class Series:
    """A line. `parts` are drawn one by one, without a line between them: lives of a process."""

    label: str
    colour: str
    parts: Sequence[Points]
    dashed: bool = False


@dataclass(frozen=True)
class Frame:
    """What all pictures of one soak share: its length in seconds, and its trouble in grey."""

    seconds: float
    marks: Sequence[Mark] = ()

    def x(self, at: float) -> float:
        """Where a moment is drawn."""
        return _LEFT + at / self.seconds * (_WIDTH - _LEFT - _RIGHT)


def chart(
    frame: Frame,
    title: str,
    series: Sequence[Series],
    *,
    unit: str,
    logarithmic: bool = False,
    height: int = 250,
) -> str:
    """Lines over time, from zero on, or on a logarithmic scale from the power of ten below."""
    values = [value for each in series for part in each.parts for _, value in part]
    scale = _Scale(values, height, logarithmic)
    drawn = [
        *_stripes(frame, height),
        *_grid(scale),
        *_minutes(frame, height),
        *(line for each in series for line in _lines(frame, scale, each)),
        *_legend(series),
    ]
    return _svg(title, height, drawn, unit)


def lanes(frame: Frame, title: str, rows: Sequence[tuple[str, str, Sequence[Mark]]]) -> str:
    """One lane for each row of (label, colour, marks), a bar from each mark's begin to its end."""
    height = _TOP + _BOTTOM + 22 * len(rows)
    drawn = list(_minutes(frame, height))
    for number, (label, colour, marks) in enumerate(rows):
        y = _TOP + 22 * number
        drawn.append(f'<rect x="{_LEFT}" y="{y}" width="{_WIDTH - _LEFT - _RIGHT}" height="18" '
                     f'fill="{_PALE}" opacity=".5"/>')  # fmt: skip
        drawn.append(_text(_LEFT - 8, y + 13, label, anchor="end"))
        for mark in marks:
            x = frame.x(mark.at)
            wide = max(frame.x(mark.until) - x, 2)
            lasted = mark.until - mark.at
            told = f"{mark.what} {mark.name} at {mark.at / 60:.1f} min, {lasted:.1f} s"
            drawn.append(
                f'<rect x="{x:.1f}" y="{y + 1}" width="{wide:.1f}" height="16" fill="{colour}">'
                f"<title>{escape(told)}</title></rect>"
            )
    return _svg(title, height, drawn)


class _Scale:
    """Values to heights."""

    def __init__(self, values: Sequence[float], height: int, logarithmic: bool) -> None:
        self._height = height
        self._logarithmic = logarithmic
        most = max(values, default=1) or 1
        if logarithmic:
            least = min((value for value in values if value > 0), default=1)
            self._low = math.floor(math.log10(least))
            self._high = max(math.ceil(math.log10(most)), self._low + 1)
            self.ticks = [10.0**power for power in range(self._low, self._high + 1)]
        else:
            step = _round_step(most / 5)
            self._low, self._high = 0, math.ceil(most / step) * step
            self.ticks = [step * n for n in range(round(self._high / step) + 1)]

    def y(self, value: float) -> float:
        """Where a value is drawn."""
        if self._logarithmic:
            value = math.log10(max(value, 10.0**self._low))
        part = (value - self._low) / (self._high - self._low)
        return self._height - _BOTTOM - part * (self._height - _BOTTOM - _TOP)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough)


def _lines(frame: Frame, scale: _Scale, series: Series) -> Iterable[str]:
    dashes = ' stroke-dasharray="5 4"' if series.dashed else ""
    for part in series.parts:
        points = " ".join(f"{frame.x(at):.1f},{scale.y(value):.1f}" for at, value in part)
        yield (
            f'<polyline points="{points}" fill="none" stroke="{series.colour}" '
            f'stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"{dashes}/>'
        )


def _stripes(frame: Frame, height: int) -> Iterable[str]:
    for mark in frame.marks:
        x = frame.x(mark.at)
        wide = max(frame.x(mark.until) - x, 1)
        colour = "#f6e7c8" if mark.what == "fault" else "#d9dde3"
        yield (
            f'<rect x="{x:.1f}" y="{_TOP}" width="{wide:.1f}" '
            f'height="{height - _TOP - _BOTTOM}" fill="{colour}"/>'
        )


def _grid(scale: _Scale) -> Iterable[str]:
    for tick in scale.ticks:
        y = scale.y(tick)
        yield (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{_PALE}"/>'
        )
        yield _text(_LEFT - 8, y + 4, f"{tick:,.10g}", anchor="end")


def _minutes(frame: Frame, height: int) -> Iterable[str]:
    minutes = frame.seconds / 60
    step = _round_step(minutes / 12)
    for number in range(math.floor(minutes / step) + 1):
        x = frame.x(number * step * 60)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{height - _BOTTOM}" y2="{height - 25}" '
            f'stroke="{_INK}"/>'
        )
        yield _text(x, height - 11, f"{number * step:g} min", anchor="middle")


def _legend(series: Sequence[Series]) -> Iterable[str]:
    x = _WIDTH - _RIGHT
    for each in reversed(series):
        x -= 30 + 6.6 * len(each.label)
        yield (
            f'<line x1="{x:.1f}" x2="{x + 16:.1f}" y1="20" y2="20" '
            f'stroke="{each.colour}" stroke-width="3"/>'
        )
        yield _text(x + 21, 24, each.label)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: int, drawn: Iterable[str], unit: str = "") -> str:
    body = "\n".join(drawn)
    measured = f'<tspan font-size="12" font-weight="400" dx="8">{escape(unit)}</tspan>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="{_INK}">\n<title>{escape(title)}</title>\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600">'
        f"{escape(title)}{measured}</text>\n"
        f"{body}\n</svg>\n"
    )
