"""`yocaso completion`: the lines that make a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

_WHERE = {
    "bash": 'Add to ~/.bashrc:  eval "$(yocaso completion bash)"',
    "zsh": 'Add to ~/.zshrc:  eval "$(yocaso completion zsh)"',
    "fish": "yocaso completion fish > ~/.config/fish/completions/yocaso.fish",
}


@click.command(epilog="\b\n" + "\n".join(_WHERE.values()))
@click.argument("shell", type=click.Choice(list(_WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write the script of a shell's completion."""
    root = context.find_root().command
    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    click.echo(found(root, {}, "yocaso", "_YOCASO_COMPLETE").source())
