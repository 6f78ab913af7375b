"""Bytes to Python data: what counts as JSON at the public boundary and inside.

Both readers parse with jiter: strict UTF-8, no lone surrogates, no NaN literals, no byte order
mark, no integers beyond 4,300 digits, at most 200 levels. The public one also refuses duplicate
keys, more than `DEEPEST` levels, numbers of more than `MOST_DIGITS` digits or that no double can
hold, and NUL in text. The fast path pays only for searches in the raw bytes; the walks run when
those find something.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any, cast

import jiter

from chassis.message.shape import Loc
from chassis.message.violations import Problem, malformed

DEEPEST = 64
"""Levels of nesting that a public body may have; a level is an object or a list."""

MOST_DIGITS = 1_000
"""Digits in a row that a number in a public body may have."""

_TOO_DEEP = f"must not be nested deeper than {DEEPEST} levels"
_TOO_LONG = f"must not have a number of more than {MOST_DIGITS} digits"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKETS = re.compile(rb"[^\[\]]+")
_TO_LISTS = bytes.maketrans(b"{}", b"[]")
_DIGITS_TO_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_TOO_MANY_DIGITS = b"0" * (MOST_DIGITS + 1)
_HUGE_NUMBER = re.compile(rb"[0-9][eE]\+?0*[1-9][0-9]{2}|[0-9]{309}")
_PLACE = re.compile(r" at (line [0-9]+ column [0-9]+)$")


class Reading(Enum):
    """Who wrote the bytes; validators see it as their context (None: Python, not bytes)."""

    PUBLIC = "public"
    TOLERANT = "tolerant"


def read_tolerant(raw: bytes) -> Any:
    """The data in `raw` as our own writers made it. RpcError when it is not JSON."""
    try:
        return jiter.from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(_why(raw, str(error))) from None


def read_public(raw: bytes, *, free_json: bool) -> tuple[Any, list[Problem]]:
    """The data in a client's body, with what is wrong with it as text.

    free_json: whether the message has fields without a shape, whose numbers nobody else checks.
    RpcError when the body is not JSON at all or too deep to be looked at.
    """
    problems: list[Problem] = []
    try:
        data = jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        if not str(error).startswith("Detected duplicate key"):
            raise malformed(_why(raw, str(error))) from None
        data = read_tolerant(raw)
        problems.extend(_duplicates(raw))
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _deeper_than(DEEPEST, raw):
        raise malformed(_TOO_DEEP)
    if len(raw) > MOST_DIGITS and _has_long_number(raw):
        raise malformed(_TOO_LONG)
    nul = b"\\u0000" in raw
    huge = free_json and _HUGE_NUMBER.search(raw) is not None
    if nul or huge:
        problems.extend(_walk(data, (), nul=nul, huge=huge))
    return data, problems


def _why(raw: bytes, message: str) -> str:
    """Our sentence for what jiter says; only its position is kept, its text may quote content."""
    found = _PLACE.search(message)
    place = f" ({found.group(1).replace(' column', ', column')})" if found else ""
    if raw.startswith(b"\xef\xbb\xbf"):
        return "must not start with a byte order mark"
    if "recursion limit" in message:
        return _TOO_DEEP
    if "unicode code point" in message:
        return f"must be valid UTF-8{place}"
    if "hex escape" in message or "surrogate" in message:
        return f"must not have half of a surrogate pair or a broken escape{place}"
    if "number out of range" in message:
        return f"{_TOO_LONG}{place}"
    return f"must be valid JSON{place}"


def _deeper_than(levels: int, raw: bytes) -> bool:
    """Whether well-formed JSON nests deeper: each round removes the innermost level."""
    brackets = _BRACKETS.sub(b"", _STRING.sub(b"", raw).translate(_TO_LISTS))
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _has_long_number(raw: bytes) -> bool:
    """Whether there are too many digits in a row outside of text."""
    if _TOO_MANY_DIGITS not in raw.translate(_DIGITS_TO_ZERO):
        return False
    return _TOO_MANY_DIGITS in _STRING.sub(b"", raw).translate(_DIGITS_TO_ZERO)


class _Twice(dict[str, Any]):
    """An object that had keys more than once."""

    keys_twice: list[str]


def _duplicates(raw: bytes) -> Iterator[Problem]:
    """A problem for each key that an object has twice. `raw` is known to be good otherwise."""

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        twice = _Twice(found)
        counts = Counter(key for key, _ in pairs)
        twice.keys_twice = [key for key, count in counts.items() if count > 1]
        return twice

    yield from _twice_in(json.loads(raw, object_pairs_hook=collect), ())


def _twice_in(data: Any, loc: Loc) -> Iterator[Problem]:
    if isinstance(data, _Twice):
        for key in data.keys_twice:
            yield Problem((*loc, key), "is given twice")
    for key, value in _entries(data):
        yield from _twice_in(value, (*loc, key))


def _entries(data: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(data, dict):
        yield from cast(dict[str, Any], data).items()
    elif isinstance(data, list):
        yield from enumerate(cast(list[Any], data))


def _walk(data: Any, loc: Loc, *, nul: bool, huge: bool) -> Iterator[Problem]:
    """Text with NUL (keys too) and numbers without a double, wherever they are."""
    if nul and isinstance(data, str) and "\0" in data:
        yield Problem(loc, "must not have the character NUL")
    if huge and isinstance(data, int | float) and not _fits_double(data):
        yield Problem(loc, "must be a number that a double can hold")
    for key, value in _entries(data):
        if nul and isinstance(key, str) and "\0" in key:
            yield Problem((*loc, key), "has a key with the character NUL")
        yield from _walk(value, (*loc, key), nul=nul, huge=huge)


def _fits_double(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
