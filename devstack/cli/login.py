"""`yocaso login` and `logout`: be somebody at a platform, for `yocaso keys` and `yocaso orgs`."""

import click

from devstack.cli import session
from devstack.cli.connection import Connection, connected
from devstack.cli.output import CommandError, json_option, write_json
from devstack.cli.people import secret_of
from devstack.cli.session import Session


@click.command()
@click.argument("user", default="developer")
@click.option("--email", default="", help="The user's address; USER@example.com unless said.")
@click.option("--tenant", default="", help="Claim this tenant, whatever organizations say.")
@click.option(
    "--role", type=click.Choice(["owner", "admin", "member"]), help="The role in that tenant."
)
@click.option("--token", "given", is_flag=True, help="Read an ID token from standard input.")
@json_option
@connected
def login(
    connection: Connection,
    user: str,
    email: str,
    tenant: str,
    role: str | None,
    given: bool,
    as_json: bool,
) -> None:
    """Sign in as USER with the development issuer, or with an ID token of another one.

    The token is kept in your configuration folder, where only you can read it.
    """
    issuer = str(connection.stack.get("issuer", ""))
    if given:
        kept = Session(secret_of("ID token"), "", {})
    elif issuer:
        claims = {"sub": user, "email": email or f"{user}@example.com"}
        if tenant:
            claims |= {"tenant_id": tenant, "role": role or "owner"}
        kept = Session(session.token_of(issuer, claims), issuer, claims)
    else:
        raise CommandError(
            "That platform has no development issuer. Give an ID token with --token."
        )
    session.keep(connection.base_url, kept)
    who = kept.claims.get("sub", "")
    if as_json:
        write_json({"userId": who, "platform": connection.base_url, "kept": str(session.path())})
    else:
        click.echo(f"Signed in{f' as {who}' if who else ''} at {connection.base_url}.")


@click.command()
@json_option
@connected
def logout(connection: Connection, as_json: bool) -> None:
    """Forget the token of this platform."""
    session.forget(connection.base_url)
    if as_json:
        write_json({"platform": connection.base_url})
    else:
        click.echo(f"Signed out at {connection.base_url}.")
