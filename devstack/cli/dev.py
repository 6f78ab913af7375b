"""`yocaso dev`: the whole platform on this machine until Ctrl-C."""

import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from devstack import model_choice, openfga
from devstack.cli.connection import data_option
from devstack.cli.output import CommandError, printable
from devstack.data_directory import default_path
from devstack.dev import DevOptions, DevStack, RunningDevStack
from devstack.processes import ProcessError

PORT = 8000
_SAME_PRESS_SECONDS = 0.5


class _StopError(BaseException):
    """A signal asked us to end; raised wherever we are."""


@click.command()
@click.option(
    "--port", default=PORT, show_default=True, help="Port of the API; 0 takes a free one."
)
@data_option("Where everything is kept; the same directory goes on where it was.")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write addresses, key and process ids here as JSON once ready; kept true, removed at the "
    "end.",
)
@click.option(
    "--model",
    type=click.Choice([model.value for model in model_choice.Model]),
    help="Who answers. Without it: openrouter where OPENROUTER_API_KEY is set, else local where it "
    "is installed (make local-model), else double.",
)
def dev(port: int, data_path: Path, ready_file: Path | None, model: str | None) -> None:
    """Run the whole platform on this machine until Ctrl-C.

    Starts Restate, the handlers, the edge and the local cloud (doubles of hosted vendors with a
    switchboard of faults), makes a demo tenant with a key, and prints calls that work. A part that
    dies is started again. Data survive every end, kill -9 included.
    """
    started = time.monotonic()
    _listen_to_signals()
    try:
        choice = model_choice.choose(model)
        stack = DevStack(DevOptions(data_path, port, ready_file, choice), _tell)
        click.echo(f"Starting in {stack.directory.path} with {choice.sentence}")
        if openfga.binary() is None:
            click.echo(openfga.MISSING)
        with stack.running() as running:
            click.echo(f"Ready after {time.monotonic() - started:.1f} s.\n")
            click.echo(banner(running))
            sys.stdout.flush()
            running.keep_alive(_tell)
    except ProcessError as error:
        raise CommandError(str(error)) from error
    except _StopError:
        click.echo("Stopped.", err=True)


def _tell(text: str) -> None:
    indented = printable(text).replace("\n", "\n  ")
    click.echo(f"  {indented}")
    sys.stdout.flush()


def _listen_to_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    first = time.monotonic()

    def end_now(_number: int, _frame: FrameType | None) -> None:
        # A terminal and `make` may both pass on what was pressed once.
        if time.monotonic() - first > _SAME_PRESS_SECONDS:
            # Without a word: the reaper ends what was started.
            os._exit(1)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end_now)
    click.echo("\nStopping; once more ends everything at once.", err=True)
    raise _StopError


def banner(running: RunningDevStack) -> str:
    """What a person can do now. The lines of `curl` run as they stand, in this order."""
    stack, path = running.stack, running.directory.path
    api = f"{stack.base_url}/api/v1/llm/gateway"
    key_file = shlex.quote(str(path / "secret-key"))
    header = '-H "x-api-key: $KEY"'
    title = click.style("The demo tenant's key", bold=True)
    shown = f": {running.key.key}  (shown this once; kept in {key_file})"
    lines = [
        f"{title}{shown if running.directory.new else f' is in {key_file}'}",
        "",
        click.style("Try it", bold=True),
        f"  KEY=$(cat {key_file})",
        f'  curl -sS {header} --json \'{{"conversationKey": "hello"}}\' {api}/create-thread',
        f'  curl -sS {header} --json \'{{"conversationKey": "hello", "userMessage": '
        f'{{"content": "Who are you?"}}}}\' {api}/send-message',
        f'  curl -sS {header} --json \'{{"conversationKey": "hello", "wait": "20s"}}\' '
        f"{api}/pull-events",
        f'  curl -sS {header} --json \'{{"conversationKey": "hello"}}\' {api}/conversation-state',
        "  # a user of the demo tenant, with a token of the local issuer",
        f'  curl -sS --json \'{{"sub": "anna", "tenant_id": "demo"}}\' {stack.issuer_url}/token',
        "  # the next two calls of the model are refused; the run waits and goes on",
        f"  curl -sS -X PUT {stack.cloud_url}/faults/openrouter "
        '-d \'{"kind": "status", "status": 429, "retry_after": "1", "times": 2}\'',
        f"  {_own_name()} chat{_data_option(path)}",
        f"  {_own_name()} doctor{_data_option(path)}",
        "",
        f"API          {stack.base_url}/api/v1/  (a page that shows it: {stack.base_url}/docs)",
        f"Web chat     {stack.base_url}/console",
        f"Switchboard  {stack.cloud_url}/",
        f"Restate      {stack.restate.admin_url}/ui/",
        f"Data, logs   {path}  (kept; Ctrl-C stops everything)",
    ]
    return "\n".join(lines)


def _own_name() -> str:
    """How this program was called, which is how it can be called again."""
    name = Path(sys.argv[0])
    if shutil.which(name.name) == str(name.absolute()):
        return name.name
    return shlex.quote(os.path.relpath(name))


def _data_option(path: Path) -> str:
    return "" if path == default_path().absolute() else f" --data {shlex.quote(str(path))}"
