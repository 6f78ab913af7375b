"""`yocaso threads` and `yocaso runs`: what there is, of every tenant, for operators."""

from collections.abc import Callable
from typing import Any

import click

from devstack.cli import records
from devstack.cli.admin import Admin
from devstack.cli.connection import Connection, connected, require_admin
from devstack.cli.output import ago, json_option, table, write_json
from devstack.cli.records import RunOf, Scope, Thread

STATUSES = ("QUEUED", "RUNNING", "AWAITING_APPROVAL", "COMPLETED", "FAILED", "CANCELLED")


def _scoped(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--limit", default=50, show_default=True, help="How many at most."),
        click.option("--thread", default="", help="Of this thread (needs --user)."),
        click.option("--user", default="", help="Of this user (needs --tenant)."),
        click.option("--tenant", default="", help="Of this tenant."),
    ):
        command = option(command)
    return command


@click.command("threads")
@_scoped
@click.option("--active", is_flag=True, help="Only those with a run that is not over.")
@json_option
@connected
def threads_command(
    connection: Connection,
    tenant: str,
    user: str,
    thread: str,
    limit: int,
    active: bool,
    as_json: bool,
) -> None:
    """List threads of all tenants (operators).

    The newest activity comes first.
    """
    with Admin(require_admin(connection)) as admin:
        found = records.threads(admin, Scope(tenant, user, thread))
    if active:
        found = [each for each in found if each.status != "IDLE"]
    if as_json:
        write_json({"threads": [_thread(each) for each in found[:limit]]})
        return
    rows = [
        (
            each.owner.tenant,
            each.owner.user,
            each.owner.thread,
            each.status,
            str(len(each.head.get("queue", []))),
            str(each.head.get("lastSequence", 0)),
            ago(each.newest),
            each.head.get("name", ""),
        )
        for each in found[:limit]
    ]
    headings = ("TENANT", "USER", "THREAD", "STATE", "WAITING", "EVENTS", "ACTIVE", "NAME")
    _show(headings, rows, len(found), "No threads.")


@click.command("runs")
@_scoped
@click.option("--status", type=click.Choice(STATUSES), help="Only those in this state.")
@json_option
@connected
def runs_command(
    connection: Connection,
    tenant: str,
    user: str,
    thread: str,
    limit: int,
    status: str | None,
    as_json: bool,
) -> None:
    """List runs of all tenants (operators).

    The newest come first, each with what Restate does for it.
    """
    with Admin(require_admin(connection)) as admin:
        found = records.runs(admin, Scope(tenant, user, thread))
        restate = {each["target_service_key"]: each for each in records.invocations(admin)}
    if status is not None:
        found = [each for each in found if each.record.get("status") == status]
    if as_json:
        write_json({"runs": [_run(each, restate) for each in found[:limit]]})
        return
    rows = [
        (
            each.record["runId"],
            each.record.get("status", ""),
            f"{each.owner.tenant}/{each.owner.user}",
            each.owner.thread,
            ago(each.record.get("createdAt", "")),
            str(each.record.get("attempts", 0)),
            each.record.get("usage", {}).get("totalTokens", ""),
            each.record.get("model", ""),
            restate.get(each.record["runId"], {}).get("status", ""),
        )
        for each in found[:limit]
    ]
    headings = ("RUN", "STATE", "OF", "THREAD", "STARTED", "TRIES", "TOKENS", "MODEL", "IN RESTATE")
    _show(headings, rows, len(found), "No runs.")


def _show(headings: tuple[str, ...], rows: list[tuple[str, ...]], found: int, none: str) -> None:
    click.echo(table(headings, rows) or none)
    if found > len(rows):
        click.echo(f"{found - len(rows)} more; --limit shows them.", err=True)


def _thread(thread: Thread) -> dict[str, Any]:
    head = thread.head
    return {
        **thread.owner.fields(),
        "name": head.get("name", ""),
        "status": thread.status,
        "createdAt": head.get("createdAt", ""),
        "updatedAt": thread.newest,
        "lastSequence": head.get("lastSequence", 0),
        "activeRunId": next((run["runId"] for run in thread.pending()), ""),
        "queued": len(head.get("queue", [])),
    }


def _run(run: RunOf, restate: dict[str, dict[str, Any]]) -> dict[str, Any]:
    invocation = restate.get(run.record["runId"], {})
    return {
        **run.owner.fields(),
        **run.record,
        "invocation": {
            name: invocation[name]
            for name in ("id", "status", "retry_count", "last_failure")
            if name in invocation
        },
    }
