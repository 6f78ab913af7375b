"""What commands of people share: a platform, a person who is signed in there, and calls as them."""

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from devstack.cli import session
from devstack.cli.connection import Connection, connected
from devstack.cli.output import RefusedError, UnreachableError, write_json
from devstack.client import AwayError, Client
from errors import Code, RpcError

P = ParamSpec("P")
R = TypeVar("R")
FAMILIES = "/api/v1/"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Person:
    """Calls with the token of who is signed in; a development issuer renews it by itself."""

    def __init__(self, connection: Connection) -> None:
        self.base_url = connection.base_url
        self._session = session.load(connection.base_url)

    def call(self, method: str, **request: Any) -> dict[str, Any]:
        """One method (`orgs/get`), without what is None.

        Raises RefusedError with the platform's own words, or UnreachableError.
        """
        asked = {name: value for name, value in request.items() if value is not None}
        try:
            return self._call(method, asked)
        except RpcError as error:
            if error.code is not Code.UNAUTHENTICATED:
                raise _refused(error) from error
        self.renew()
        try:
            return self._call(method, asked)
        except RpcError as error:
            raise _refused(error) from error

    def renew(self) -> None:
        """Fetch a new token, which claims what has changed."""
        self._session = self._session.renewed()
        session.keep(self.base_url, self._session)

    @property
    def renews(self) -> bool:
        """Whether a new token can be had without the person."""
        return bool(self._session.issuer)

    def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with Client(self.base_url, token=self._session.token, base_path=FAMILIES) as client:
                return client.call(method, **request)
        except AwayError as error:
            raise UnreachableError(str(error)) from error


def _refused(error: RpcError) -> RefusedError:
    fields = "".join(
        f"\n  {each.field} {each.description}" for each in error.details.field_violations
    )
    return RefusedError(f"{error.message} ({error.reason}){fields}")


def as_person(command: Callable[Concatenate[Person, P], R]) -> Callable[P, R]:
    """Give a command the options that find a platform, and who is signed in there."""

    @connected
    @wraps(command)
    def run(connection: Connection, /, *args: P.args, **options: P.kwargs) -> R:
        return command(Person(connection), *args, **options)

    return run


def show(answer: dict[str, Any], *, as_json: bool, text: Callable[[], str]) -> None:
    """The answer for programs, or its text for a person."""
    if as_json:
        write_json(answer)
    else:
        click.echo(text())


def span(text: str) -> timedelta:
    """A span of time as people write it (`90s`, `15m`, `24h`, `7d`), for options of commands."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal() and unit in _UNITS):
        raise click.BadParameter(f"{text!r} is not a span of time such as 90s, 15m, 24h or 7d.")
    return timedelta(**{_UNITS[unit]: int(number)})


def seconds(span: timedelta | None) -> str | None:
    """A span as the API takes it."""
    return None if span is None else f"{int(span.total_seconds())}s"


def secret_of(what: str) -> str:
    """A secret that a person types unseen, or a program pipes in."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True)).strip()
    return sys.stdin.read().strip()
