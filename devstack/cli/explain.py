"""`yocaso explain`: the story of one run, and what can be done about it.

The record and the thread's events are kept as long as the thread; what Restate did for the run is
told while its tables have it (a day). Without Restate's admin port the story comes from the public
API: it needs a key of the run's user, and is found faster with the thread's name.
"""

from typing import Any

import click

from devstack.cli import records
from devstack.cli.admin import Admin
from devstack.cli.connection import Connection, connected, require_key
from devstack.cli.output import CommandError, json_option, write_json
from devstack.cli.story import Story, advice, told
from devstack.client import Client
from errors import RpcError

# How far back runs are looked for where only the public API is there.
_THREADS_SEARCHED = 20
_PAGE = 200


@click.command()
@click.argument("run_id")
@click.option("--thread", default="", help="The run's thread; only needed without --admin-url.")
@click.option("--content", is_flag=True, help="Show what was said, too.")
@json_option
@connected
def explain(connection: Connection, run_id: str, thread: str, content: bool, as_json: bool) -> None:
    """Tell what happened in a run, and what can be done about it."""
    if connection.admin_url:
        with Admin(connection.admin_url) as admin:
            story = from_restate(admin, run_id)
    else:
        story = from_api(require_key(connection), run_id, thread)
    if as_json:
        write_json(
            {
                "run": story.run,
                "thread": story.owner,
                "events": story.events if content else [_quiet(each) for each in story.events],
                "invocation": story.invocation,
                "steps": story.steps,
                "next": advice(story),
            }
        )
        return
    click.echo("\n".join(told(story, content=content)))


def from_restate(admin: Admin, run_id: str) -> Story:
    """The story as Restate's tables have it."""
    found = records.find_run(admin, run_id)
    if found is None:
        raise CommandError(f"There is no run {run_id}. `yocaso runs` lists those that there are.")
    run, object_key = found
    invocation = next(iter(records.invocations(admin, run_id)), dict[str, Any]())
    return Story(
        run.record,
        run.owner.fields(),
        records.events(admin, object_key, run_id),
        invocation,
        records.steps(admin, invocation["id"]) if invocation else [],
    )


def from_api(connection: Connection, run_id: str, thread: str) -> Story:
    """The story as a client can know it."""
    with Client(connection.base_url, connection.key) as client:
        run, key = _find(client, run_id, thread)
        after, events = 0, list[dict[str, Any]]()
        while True:
            page = client.call("pull-events", conversationKey=key, after=after, limit=_PAGE)
            some: list[dict[str, Any]] = page.get("events", [])
            if not some:
                break
            events += [each for each in some if each.get("runId") == run_id]
            after = some[-1]["sequence"]
    return Story(run, {"conversationKey": key}, events)


def _find(client: Client, run_id: str, thread: str) -> tuple[dict[str, Any], str]:
    newest = [thread]
    if not thread:
        listed = client.call("list-threads", pageSize=_THREADS_SEARCHED)
        newest = [each["conversationKey"] for each in listed.get("threads", [])]
    for key in newest:
        try:
            return client.call("get-run", conversationKey=key, runId=run_id), key
        except RpcError as error:
            if error.reason != "run.not_found":
                raise
    where = f"the thread {thread}" if thread else f"your {_THREADS_SEARCHED} newest threads"
    raise CommandError(f"There is no run {run_id} in {where}. Name its thread with --thread.")


def _quiet(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what was said."""
    message = event.get("message")
    if message is None:
        return event
    return {**event, "message": {**message, "content": f"{len(message.get('content', ''))} chars"}}
