"""The command `yocaso`: its subcommands, each imported when it is needed."""

from importlib import import_module
from importlib.metadata import version

import click

from devstack.cli.output import EXIT_CODES, colour

_COMMANDS = {
    "dev": "devstack.cli.dev:dev",
    "chat": "devstack.cli.chat:chat",
    "doctor": "devstack.cli.doctor:doctor",
    "explain": "devstack.cli.explain:explain",
    "threads": "devstack.cli.operate:threads_command",
    "runs": "devstack.cli.operate:runs_command",
    "login": "devstack.cli.login:login",
    "logout": "devstack.cli.login:logout",
    "orgs": "devstack.cli.orgs:orgs",
    "keys": "devstack.cli.keys:keys",
    "completion": "devstack.cli.completion:completion",
}


class _Commands(click.Group):
    """Subcommands in the order in which they are first needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=_Commands,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("yocaso-platform"), prog_name="yocaso")
@click.pass_context
def main(context: click.Context) -> None:
    """The yocaso platform on this machine, and tools to talk to it and look into it."""
    context.color = colour()
