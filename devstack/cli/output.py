"""How commands speak: tables and colours for people, JSON for programs, mistakes in a sentence."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

OK, FAILED, USAGE, UNREACHABLE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """\b
Exit codes: 0 done; 1 failed, or a check found something wrong; 2 wrong usage;
3 nothing answers at the address; 4 the platform refused; 130 interrupted."""


class CommandError(click.ClickException):
    """A command cannot go on. The text is a sentence or two for a person, with the remedy."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        """Write it to standard error."""
        title = click.style("error:", fg="red", bold=True)
        click.echo(f"{title} {self.message}", err=True, color=colour())


class UnreachableError(CommandError):
    """Nothing answers where something should."""

    exit_code = UNREACHABLE


class RefusedError(CommandError):
    """The platform answered with an error."""

    exit_code = REFUSED


def colour() -> bool | None:
    """False where NO_COLOR asks for none (no-color.org), else None: as the terminal allows."""
    return False if os.environ.get("NO_COLOR") else None


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON for programs instead of text."
)


def write_json(value: object) -> None:
    """One JSON document: indented for a terminal, on one line for a program."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what is in them; the last one is not padded."""
    if not rows:
        return ""
    shown = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *shown, strict=True)]
    lines = [_line(headings, widths, bold=True), *(_line(row, widths) for row in shown)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], *, bold: bool = False) -> str:
    text = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return click.style(text.rstrip(), bold=True) if bold else text.rstrip()


def printable(text: str) -> str:
    """The text without characters that would do something to the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def moment(text: str) -> str:
    """A timestamp of the API, in local time to the second; empty stays empty."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(text: str) -> str:
    """How long ago a timestamp of the API was."""
    if not text:
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def mark(state: str) -> str:
    """A check's state with a sign, so that colour is never the only one."""
    sign, colour = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}[state]
    return click.style(sign, fg=colour, bold=True)
