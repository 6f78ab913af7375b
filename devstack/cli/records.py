"""Threads and runs as Restate's tables hold them, for operators: of every tenant, without a key.

The names of components, state keys and fields are those of `actors/conversation/state.py`; stored
state changes by addition only, so what is read here stays readable. A pending run stands in its
thread's head, a settled one under a key of its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from devstack.cli.admin import Admin, quoted
from devstack.cli.output import CommandError

ACTOR, WORKFLOW = "ConversationActor", "GenerationWorkflow"
_RUN_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


@dataclass(frozen=True)
class Owner:
    """Whose thread it is; the parts of an object key, decoded."""

    tenant: str
    user: str
    thread: str

    @classmethod
    def of(cls, object_key: str) -> "Owner":
        """The owner that a key of ConversationActor names."""
        tenant, user, thread = map(unquote, object_key.split("/"))
        return cls(tenant, user, thread)

    def fields(self) -> dict[str, str]:
        """For JSON."""
        return {"tenantId": self.tenant, "userId": self.user, "conversationKey": self.thread}


@dataclass(frozen=True)
class Scope:
    """Which threads are meant; empty means all."""

    tenant: str = ""
    user: str = ""
    thread: str = ""

    def __post_init__(self) -> None:
        if (self.user and not self.tenant) or (self.thread and not self.user):
            raise CommandError("--user needs --tenant, and --thread needs --user.")

    def condition(self) -> str:
        """As a condition on the object key."""
        named = [part for part in (self.tenant, self.user, self.thread) if part]
        key = "/".join(quote(part, safe="") for part in named)
        if len(named) == 3:
            return f" AND service_key = {quoted(key)}"
        return f" AND starts_with(service_key, {quoted(key + '/')})" if named else ""


@dataclass(frozen=True)
class Thread:
    """A thread's head."""

    owner: Owner
    head: dict[str, Any]

    @property
    def status(self) -> str:
        """IDLE, or what its active run does."""
        active = self.head.get("active")
        return str(active["run"].get("status", "RUNNING")) if active else "IDLE"

    @property
    def newest(self) -> str:
        """When something happened here last."""
        entries: list[dict[str, Any]] = self.head.get("tail") or [{}]
        newest: str = entries[-1].get("event", {}).get("createdAt", "")
        touched: str = self.head.get("touchedAt", "")
        return max(newest, touched, self.head.get("createdAt", ""))

    def pending(self) -> Iterator[dict[str, Any]]:
        """Records of the active run and of those behind it."""
        active = self.head.get("active")
        for each in [*([active] if active else []), *self.head.get("queue", [])]:
            yield each["run"]


@dataclass(frozen=True)
class RunOf:
    """A run's record and whose it is."""

    owner: Owner
    record: dict[str, Any]


def threads(admin: Admin, scope: Scope) -> list[Thread]:
    """Every thread in the scope, newest activity first."""
    rows = admin.query(_state("key = 'head'", scope.condition()))
    found = [Thread(Owner.of(row["service_key"]), _value(row)) for row in rows]
    return sorted(found, key=lambda thread: thread.newest, reverse=True)


def runs(admin: Admin, scope: Scope) -> list[RunOf]:
    """Every run in the scope, newest first."""
    rows = admin.query(_state("starts_with(key, 'run:')", scope.condition()))
    found = [RunOf(Owner.of(row["service_key"]), _value(row)) for row in rows]
    for thread in threads(admin, scope):
        found.extend(RunOf(thread.owner, record) for record in thread.pending())
    return sorted(found, key=lambda run: run.record.get("createdAt", ""), reverse=True)


def find_run(admin: Admin, run_id: str) -> tuple[RunOf, str] | None:
    """The run, and the object key of its thread."""
    if not _RUN_ID.match(run_id):
        raise CommandError(f"{run_id!r} is not the id of a run.")
    settled = admin.query(_state(f"key = {quoted('run:' + run_id)}"))
    if settled:
        key = settled[0]["service_key"]
        return RunOf(Owner.of(key), _value(settled[0])), key
    named = f"key = 'head' AND strpos(value_utf8, {quoted(run_id)}) > 0"
    for row in admin.query(_state(named)):
        thread = Thread(Owner.of(row["service_key"]), _value(row))
        for record in thread.pending():
            if record.get("runId") == run_id:
                return RunOf(thread.owner, record), row["service_key"]
    return None


def events(admin: Admin, object_key: str, run_id: str) -> list[dict[str, Any]]:
    """What the thread's log says about the run, in order."""
    where = (
        f"service_key = {quoted(object_key)} AND (key = 'head' OR starts_with(key, 'log:')) "
        f"AND strpos(value_utf8, {quoted(run_id)}) > 0"
    )
    entries: list[dict[str, Any]] = []
    for row in admin.query(_state(where)):
        value = _value(row)
        entries += [*value.get("tail", []), *value.get("entries", [])]
    found = [entry["event"] for entry in entries if entry["event"].get("runId") == run_id]
    return sorted(found, key=lambda event: event.get("sequence", 0))


def invocations(admin: Admin, run_id: str = "") -> list[dict[str, Any]]:
    """Restate's invocations of one run's workflow, or of all; kept for a day after the end."""
    which = f" AND target_service_key = {quoted(run_id)}" if run_id else ""
    return admin.query(
        "SELECT id, target_service_key, target_handler_name, status, retry_count, last_failure, "
        "next_retry_at, created_at, completed_at, pinned_deployment_id, journal_size "
        f"FROM sys_invocation WHERE target_service_name = '{WORKFLOW}' "
        f"AND target_handler_name = 'Run'{which}"
    )


def steps(admin: Admin, invocation_id: str) -> list[dict[str, Any]]:
    """The journal of an invocation: type, name and time of every entry."""
    return admin.query(
        "SELECT index, entry_type, name, appended_at FROM sys_journal "
        f"WHERE id = {quoted(invocation_id)} ORDER BY index"
    )


def _state(*conditions: str) -> str:
    return (
        "SELECT service_key, key, value_utf8 FROM state "
        f"WHERE service_name = '{ACTOR}' AND {''.join(conditions)}"
    )


def _value(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(row["value_utf8"])
