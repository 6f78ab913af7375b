"""What a chat looks like: text for a person, or a line of JSON for each happening."""

import json
import sys
from typing import Any

import click

from devstack.cli.output import colour, printable
from devstack.follower import Anew, ApprovalNeeded, Lost, Said, Settled, ToolUsed, Update


class Screen:
    """What a person sees. Nothing that others said reaches the terminal unprinted."""

    def __init__(self) -> None:
        self._open = False

    def prompt(self) -> str:
        """Ask for a line; EOFError at the end of the input."""
        if not sys.stdin.isatty():
            return input()
        # Between these bytes readline counts nothing, so that long lines wrap where they should.
        plain = colour() is False
        return input("you   " if plain else "\001\033[1m\002you   \001\033[0m\002")

    def message(self, role: str, text: str) -> None:
        """Something that was said before."""
        who = "you  " if role == "user" else "model"
        click.echo(f"{click.style(who, bold=True)} {printable(text)}")

    def show(self, message: dict[str, Any]) -> None:
        """A message of the thread, with the calls that it asks for."""
        if message["role"] == "tool":
            self.update(ToolUsed("completed", message.get("toolCall", {})))
            return
        calls = message.get("toolCalls", [])
        if message.get("content") or not calls:
            self.message(message["role"], message.get("content", ""))
        for call in calls:
            self.update(ToolUsed("requested", call))

    def note(self, text: str) -> None:
        """Something about the conversation."""
        self._end_line()
        click.echo(click.style(f"      {text}", dim=True), err=True)

    def update(self, update: Update) -> None:
        """The answer goes on."""
        match update:
            case Said():
                if not self._open:
                    click.echo(f"{click.style('model', bold=True)} ", nl=False)
                self._open = True
                click.echo(printable(update.text), nl=False)
                sys.stdout.flush()
            case Anew():
                self.note("the answer starts anew: its process was gone")
            case Lost():
                self.note("the connection is gone; waiting for it to come back")
            case ToolUsed():
                self._tool(update)
            case ApprovalNeeded():
                self._end_line()
            case Settled():
                self._end_line()

    def ask(self, approval: dict[str, Any]) -> str:
        """The person's word on a call that waits: `y`, `n`, or arguments as JSON; empty for none.

        Without a terminal nobody is asked, and the call waits for another client.
        """
        call = f"{approval.get('serverName')}/{approval.get('toolName')}"
        arguments = json.dumps(approval.get("arguments", {}), ensure_ascii=False)
        self.note(f"the model wants to call {printable(call)} {printable(arguments)}")
        if not sys.stdin.isatty():
            self.note(f"nobody is here to approve it before {approval.get('deadline', '')}")
            return ""
        return input("      approve? [y/n or other arguments as JSON] ").strip()

    def _tool(self, update: ToolUsed) -> None:
        call = update.call
        # A model may ask for a tool that there is not: then there is only the word it used.
        known = f"{call.get('serverName', '')}/{call.get('toolName', '')}"
        name = printable(known if call.get("toolName") else call.get("name", ""))
        if update.what == "requested":
            self.note(f"calls {name}")
        else:
            self.note(f"{name}: {str(call.get('status', '')).lower()}")

    def _end_line(self) -> None:
        if self._open:
            click.echo()
        self._open = False


class JsonScreen(Screen):
    """A line of JSON for each happening, for programs."""

    def message(self, role: str, text: str) -> None:
        """Something that was said before."""
        self._write("message", role=role, text=text)

    def note(self, text: str) -> None:
        """Something about the conversation."""
        self._write("note", text=text)

    def update(self, update: Update) -> None:
        """The answer goes on."""
        match update:
            case Said():
                self._write("said", text=update.text)
            case Anew():
                self._write("anew", attempt=update.attempt)
            case Lost():
                self._write("lost")
            case ToolUsed():
                self._write(f"tool {update.what}", call=update.call)
            case ApprovalNeeded():
                self._write("approval", approval=update.approval)
            case Settled():
                self._write(update.status, event=update.event)

    def ask(self, approval: dict[str, Any]) -> str:
        """Programs answer with --approve or --deny."""
        return ""

    def _write(self, what: str, **fields: Any) -> None:
        click.echo(json.dumps({"type": what, **fields}, ensure_ascii=False))
        sys.stdout.flush()
