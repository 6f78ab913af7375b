"""`yocaso chat`: a conversation in the terminal, over the public API.

The answer is shown as it comes. Ctrl-C stops the run and keeps what was said, a second Ctrl-C
leaves. When something on the way dies, the chat waits, connects again after the last event it has,
and goes on. What was said before is shown at the start, and is in reach with the arrow keys.
"""

import json
import readline
import sys
from collections.abc import Iterator
from typing import Any, cast

import click

from devstack.cli.branching import Branching
from devstack.cli.connection import Connection, connected, require_key
from devstack.cli.output import FAILED, INTERRUPTED, RefusedError, UnreachableError, printable
from devstack.cli.screen import JsonScreen, Screen
from devstack.client import AwayError, Client
from devstack.follower import ApprovalNeeded, Follower, Settled, Update, follow
from errors import RpcError

_SHOWN = 10
_HELP = (
    "/again      answer the last message anew     /edit TEXT  say it in other words",
    "/branches   the ways this thread went        /branch ID  go on in another one",
    "/history    everything that was said here    /quit       leave (so do Ctrl-D, Ctrl-C twice)",
    "While an answer comes: Ctrl-C stops it, Ctrl-C again leaves.",
)

_COMMANDS = ("/quit", "/help", "/history", "/again", "/edit", "/branches", "/branch")


class _LeaveError(Exception):
    """The person wants to leave."""


@click.command()
@click.argument("thread", default="chat")
@click.option("--message", "-m", help="Send this, show the answer and end.")
@click.option("--model", default="", help="Ask this model (list-models names them).")
@click.option(
    "--tool", "tools", multiple=True, help="Let the model call it: SERVER/TOOL, SERVER, *."
)
@click.option("--approve/--deny", "word", default=None, help="Answer all requests for approval.")
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON for each event.")
@click.pass_context
@connected
def chat(
    connection: Connection,
    context: click.Context,
    thread: str,
    message: str | None,
    model: str,
    tools: tuple[str, ...],
    word: bool | None,
    as_json: bool,
) -> None:
    """Talk in a THREAD, which is made if there is none of that name.

    Ctrl-C stops the answer, a second Ctrl-C leaves. When a part of the platform dies, the chat
    goes on by itself as soon as it is back. A call of a tool that needs approval is shown with its
    arguments: `y` approves, `n` denies, and other arguments as JSON are used instead.
    """
    screen = JsonScreen() if as_json else Screen()
    with Client(connection.base_url, require_key(connection).key) as client:
        talk = Chat(client, screen, thread, model, tools, word)
        try:
            talk.open(show=message is None)
            lines = iter([message]) if message is not None else _lines(screen)
            for line in lines:
                talk.turn(line)
        except (_LeaveError, KeyboardInterrupt):
            screen.note("left")
            context.exit(INTERRUPTED)
        except RpcError as error:
            raise RefusedError(f"{error.message} ({error.reason})") from error
        except AwayError as error:
            raise UnreachableError(f"{error} `yocaso doctor` looks why.") from error
    if message is not None and talk.failed:
        context.exit(FAILED)


class Chat:
    """One conversation."""

    def __init__(
        self,
        client: Client,
        screen: Screen,
        thread: str,
        model: str,
        tools: tuple[str, ...] = (),
        word: bool | None = None,
    ) -> None:
        """word: approves or denies every call that waits; None asks the person."""
        self.failed = False
        self._tools = tools
        self._word = word
        self._client = client
        self._screen = screen
        self._thread = thread
        self._model = model
        self._after = 0
        self._branching = Branching(client, screen, thread)

    def open(self, *, show: bool) -> None:
        """Make the thread if it is new, show what was said, and follow a run that is active."""
        try:
            state = self._state()
        except RpcError as error:
            if error.reason != "thread.not_found":
                raise
            self._create()
            state = self._state()
        self._after = state.get("lastSequence", 0)
        if show:
            self._show(state.get("messages", []))
        if self._tools:
            self._allow()
        for approval in state.get("pendingApprovals", []):
            self._decide(approval)
        if run := state.get("activeRunId"):
            self._follow(run)

    def _show(self, messages: list[dict[str, Any]]) -> None:
        for each in messages[-_SHOWN:]:
            self._screen.show(each)
        _remember([each.get("content", "") for each in messages if each["role"] == "user"])
        self._screen.note(f"thread {printable(self._thread)}; /help for more")

    def turn(self, line: str) -> None:
        """Do what a line says: a command, or a message to send."""
        text = line.strip()
        command, _, rest = text.partition(" ")
        try:
            run = self._command(command, rest.strip())
        except RpcError as error:
            # A refused command is no reason to leave.
            if not command.startswith("/"):
                raise
            self._screen.note(f"{error.message} ({error.reason})")
            return
        if run is None and text and command not in _COMMANDS:
            run = self._client.send(self._thread, line)["runId"]
        if run is not None:
            self._follow(run)

    def _command(self, command: str, rest: str) -> str | None:
        """Do it; the id of the run that it started."""
        match command:
            case "/quit":
                raise _LeaveError
            case "/help":
                for each in _HELP:
                    self._screen.note(each)
            case "/history":
                self._history()
            case "/again":
                return self._branching.again()
            case "/edit":
                return self._branching.edit(rest)
            case "/branches":
                self._branching.show()
            case "/branch":
                self._branching.choose(rest)
            case _:
                pass
        return None

    def _follow(self, run: str) -> None:
        # A run that was active before we came has told its start; its text so far comes as live
        # text all the same.
        follower = Follower(self._client, self._thread, run, self._after)
        try:
            settled = follow(follower, self._update)
        except KeyboardInterrupt:
            settled = self._stop(follower, run)
        self._after = follower.after
        self._tell_end(settled)

    def _update(self, update: Update) -> None:
        self._screen.update(update)
        if isinstance(update, ApprovalNeeded):
            self._decide(update.approval)

    def _decide(self, approval: dict[str, Any]) -> None:
        """Say the person's word on a call; what is no word leaves it waiting."""
        said = self._screen.ask(approval) if self._word is None else "ny"[self._word]
        edited = _object_in(said)
        if said not in ("y", "n") and edited is None:
            return
        more: dict[str, Any] = {"arguments": edited} if edited is not None else {}
        try:
            self._client.patiently(
                "resolve-tool-approval",
                conversationKey=self._thread,
                approvalId=approval.get("approvalId", ""),
                decision="DENY" if said == "n" else "APPROVE",
                **more,
            )
        except RpcError as error:
            self._screen.note(f"{error.message} ({error.reason})")

    def _allow(self) -> None:
        self._client.patiently(
            "update-settings",
            conversationKey=self._thread,
            settings={"tools": {"allowed": list(self._tools)}},
        )

    def _stop(self, follower: Follower, run: str) -> Settled:
        """Stop the run and wait for its end; another Ctrl-C leaves."""
        self._screen.note("stopping; Ctrl-C again leaves")
        try:
            self._client.patiently("cancel-run", conversationKey=self._thread, runId=run)
            return follow(follower, self._screen.update)
        except KeyboardInterrupt:
            raise _LeaveError from None

    def _tell_end(self, settled: Settled) -> None:
        self.failed = settled.status == "failed"
        if settled.status == "cancelled":
            self._screen.note("stopped")
        elif self.failed:
            error = settled.event.get("error", {})
            run = settled.event.get("runId", "")
            text = f"failed: {error.get('message', '')} (yocaso explain {run})"
            self._screen.note(printable(text))

    def _history(self) -> None:
        token, more = "", True
        while more:
            page = self._client.patiently(
                "list-messages", conversationKey=self._thread, oldestFirst=True, pageToken=token
            )
            for each in page.get("messages", []):
                self._screen.show(each)
            token = page.get("nextPageToken", "")
            more = bool(token)

    def _state(self) -> dict[str, Any]:
        return self._client.patiently(
            "conversation-state", seconds=10, conversationKey=self._thread
        )

    def _create(self) -> None:
        config = {"model": self._model} if self._model else {}
        self._client.patiently(
            "create-thread", conversationKey=self._thread, generationConfig=config
        )


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _remember(lines: list[str]) -> None:
    """Bring what was said before into reach of the arrow keys."""
    if sys.stdin.isatty():
        for line in lines:
            readline.add_history(line)


def _lines(screen: Screen) -> Iterator[str]:
    """What the person types, until the end of the input or Ctrl-C twice."""
    warned = False
    while True:
        try:
            yield screen.prompt()
            warned = False
        except EOFError:
            return
        except KeyboardInterrupt:
            if warned:
                raise _LeaveError from None
            warned = True
            click.echo()
            screen.note("Ctrl-C again leaves")
