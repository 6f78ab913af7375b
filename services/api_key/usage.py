"""The arithmetic of usage: counts by day and family, for a bounded number of days."""

from collections.abc import Iterable

from services.api_key.contract import DayUsage, FamilyUsage, UsageResponse
from services.api_key.contract.objects import UsageEntry
from services.api_key.state import DayCount, FamilyCount, UsageRecord

MOST_DAYS = 92
_MOST_FAMILIES = 32


def add(record: UsageRecord, entries: Iterable[UsageEntry]) -> None:
    """Add what was counted; the oldest days fall away."""
    days = {day.day: day for day in record.days}
    for entry in entries:
        day = days.setdefault(entry.day, DayCount(day=entry.day))
        if entry.family not in day.families and len(day.families) >= _MOST_FAMILIES:
            continue
        count = day.families.setdefault(entry.family, FamilyCount())
        count.requests += entry.requests
        count.errors += entry.errors
    record.days = [days[day] for day in sorted(days)][-MOST_DAYS:]


def shown(record: UsageRecord) -> UsageResponse:
    """The record as people see it."""
    return UsageResponse(days=[_day(day) for day in reversed(record.days)])


def _day(day: DayCount) -> DayUsage:
    families = [
        FamilyUsage(family=name, requests=count.requests, errors=count.errors)
        for name, count in sorted(day.families.items())
    ]
    return DayUsage(
        day=day.day,
        requests=sum(family.requests for family in families),
        errors=sum(family.errors for family in families),
        families=families,
    )
