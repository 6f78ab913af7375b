"""Timestamp and Duration: RFC 3339 and seconds with an `s`, to the microsecond.

Protobuf counts nanoseconds; Python's types do not, so digits past the sixth are cut off towards
the past. Out, both have no fraction, three digits or six, whichever is exact.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from chassis.message.leaf import leaf, shown_as
from chassis.message.violations import violation

_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})",
)
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_LONGEST_SECONDS = 315_576_000_000
_LONGEST = timedelta(seconds=_LONGEST_SECONDS)
_NOT_A_TIME = 'must be a time as in RFC 3339, like "2030-01-31T09:00:00Z"'
_NOT_A_DURATION = 'must be a duration in seconds, like "3.5s"'
_OUT_OF_RANGE = "must be between the years 1 and 9999 in UTC"


def _read_timestamp(value: Any) -> Any:
    if isinstance(value, datetime):
        return value if value.tzinfo is None else _to_utc(value)
    if not isinstance(value, str):
        return value
    if _TIMESTAMP.fullmatch(value) is None:
        raise violation(_NOT_A_TIME)
    try:
        # It cuts digits past the sixth.
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise violation(_NOT_A_TIME) from None
    return _to_utc(moment)


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise violation(_OUT_OF_RANGE) from None


def write_timestamp(moment: datetime) -> str:
    """`moment` as protojson writes it, in UTC."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    micros = moment.microsecond
    if micros % 1000:
        return moment.isoformat(timespec="microseconds")[:-6] + "Z"
    return moment.isoformat(timespec="milliseconds" if micros else "seconds")[:-6] + "Z"


def _read_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise violation(_NOT_A_DURATION)
    sign, seconds, digits = found.groups()
    micros = (digits or "")[:6].ljust(6, "0")
    length = timedelta(seconds=int(seconds), microseconds=int(micros))
    return -length if sign else length


def write_duration(length: timedelta) -> str:
    """`length` as protojson writes it."""
    sign, length = ("-", -length) if length < timedelta() else ("", length)
    seconds, micros = length.days * 86_400 + length.seconds, length.microseconds
    if micros == 0:
        return f"{sign}{seconds}s"
    if micros % 1000 == 0:
        return f"{sign}{seconds}.{micros // 1000:03d}s"
    return f"{sign}{seconds}.{micros:06d}s"


def timestamp_on_wire(plain: Any) -> CoreSchema:
    """The schema that reads and writes RFC 3339, with the limits of `plain` on the moment."""
    aware: Any = {**plain, "strict": True, "tz_constraint": "aware"}
    return core_schema.no_info_before_validator_function(
        _read_timestamp,
        aware,
        serialization=core_schema.plain_serializer_function_ser_schema(
            write_timestamp, return_schema=core_schema.str_schema(), when_used="json"
        ),
        metadata=shown_as({"type": "string", "format": "date-time"}),
    )


def duration_on_wire(plain: Any) -> CoreSchema:
    """The schema that reads and writes `3.5s`, with the limits of `plain` on the length."""
    bounded: Any = {"ge": -_LONGEST, "le": _LONGEST, **plain, "strict": True}
    return core_schema.no_info_before_validator_function(
        _read_duration,
        bounded,
        serialization=core_schema.plain_serializer_function_ser_schema(
            write_duration, return_schema=core_schema.str_schema(), when_used="json"
        ),
        metadata=shown_as({"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"}),
    )


class _Timestamp:
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return leaf(handler(source), timestamp_on_wire)


class _Duration:
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return leaf(handler(source), duration_on_wire)


Timestamp = Annotated[datetime, _Timestamp()]
Duration = Annotated[timedelta, _Duration()]
