"""The command `yocaso`: its subcommands, and what happens to what they did not catch."""

from importlib.metadata import version

import click

from devstack.cli.dev import dev
from devstack.cli.output import EXIT_CODES


@click.group(
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("yocaso-platform"), prog_name="yocaso")
def main() -> None:
    """The yocaso platform on this machine, and tools to talk to it and look into it."""


main.add_command(dev)
