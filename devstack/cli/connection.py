"""Where a command finds the platform: a stack on this machine, or an address that it is given.

`yocaso dev` leaves addresses and key in its data directory; that is enough for every command. A
platform elsewhere is named with --url, its key comes from YOCASO_API_KEY (never from an option,
which everybody on the machine could read), and operators add --admin-url.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from devstack.cli.output import CommandError, UnreachableError
from devstack.data_directory import default_path, stack_in

KEY_VARIABLE = "YOCASO_API_KEY"
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Connection:
    """Addresses of one platform; empty where they are not known.

    stack: what `yocaso dev` says about itself, for a stack on this machine.
    """

    base_url: str
    key: str
    admin_url: str
    data_path: Path | None
    stack: dict[str, Any]

    @property
    def local_cloud_url(self) -> str:
        """Of the switchboard; empty for a platform elsewhere."""
        return str(self.stack.get("local_cloud_url", ""))


def connect(url: str, admin_url: str, data_path: Path) -> Connection:
    """What the options name; raises CommandError when that is nothing."""
    if url:
        key = os.environ.get(KEY_VARIABLE, "")
        return Connection(url.rstrip("/"), key, admin_url.rstrip("/"), None, {})
    stack = stack_in(data_path)
    if not stack:
        raise UnreachableError(
            f"No stack runs in {data_path.absolute()}. Start one with `yocaso dev`, or name where "
            "one runs with --data, or a platform elsewhere with --url."
        )
    return Connection(
        stack["base_url"],
        os.environ.get(KEY_VARIABLE) or stack["secret_key"],
        admin_url.rstrip("/") or stack["restate_admin_url"],
        data_path.absolute(),
        stack,
    )


def require_key(connection: Connection) -> Connection:
    """Commands of a tenant need a key."""
    if not connection.key:
        raise CommandError(f"A key is needed. Set {KEY_VARIABLE} to one of the platform's keys.")
    return connection


def require_admin(connection: Connection) -> str:
    """Commands of operators need Restate's admin port."""
    if not connection.admin_url:
        raise CommandError(
            "Restate's admin port is needed. Name it with --admin-url or RESTATE_ADMIN_URL."
        )
    return connection.admin_url


def data_option(text: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The option that names a data directory; `text` is its help."""
    return click.option(
        "--data",
        "data_path",
        type=click.Path(path_type=Path, file_okay=False),
        default=default_path,
        envvar="YOCASO_DATA",
        show_default=".data of the project",
        help=text,
    )


which_data = data_option("Data directory of the `yocaso dev` to talk to.")

_OPTIONS = (
    which_data,
    click.option("--url", default="", envvar="YOCASO_URL", help="Address of a platform elsewhere."),
    click.option(
        "--admin-url",
        default="",
        envvar="RESTATE_ADMIN_URL",
        help="Restate's admin port, for operators.",
    ),
)


def connected(command: Callable[Concatenate[Connection, P], R]) -> Callable[P, R]:
    """Give a command the options that find a platform, and the Connection that they name."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> R:
        named: dict[str, Any] = {name: options.pop(name) for name in _NAMES}
        return command(connect(**named), *args, **options)

    with_options: Callable[P, R] = run
    for option in _OPTIONS:
        with_options = option(with_options)
    return with_options


_NAMES = ("url", "admin_url", "data_path")
