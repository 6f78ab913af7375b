"""`yocaso keys`: the API keys of the organization in which somebody is signed in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from devstack.cli.output import ago, json_option, moment, table
from devstack.cli.people import Person, as_person, seconds, secret_of, show, span

_HEADINGS = ("KEY", "BEGINS", "KIND", "STATE", "MADE", "USED", "PERMISSIONS", "NAME")


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys.

    For owners and admins of an organization. Sign in first.
    """


@keys.command()
@click.argument("name")
@click.option("--permission", "-p", "permissions", multiple=True, help="A scope; may be repeated.")
@click.option("--per-minute", type=click.IntRange(min=1), help="Calls per minute.")
@click.option("--expires-in", type=span, help="When it ends: 24h, 90d.")
@click.option("--issuer", help="For a publishable key: whose tokens it goes with.")
@click.option("--audience", help="For a publishable key: for whom those tokens are.")
@click.option("--jwks-uri", help="Where the issuer's keys are, if not found by discovery.")
@click.option("--origin", "origins", multiple=True, help="A page that may use it; repeatable.")
@json_option
@as_person
def create(
    person: Person,
    name: str,
    permissions: tuple[str, ...],
    per_minute: int | None,
    expires_in: timedelta | None,
    issuer: str | None,
    audience: str | None,
    jwks_uri: str | None,
    origins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a key and show it, this once. With --issuer and --audience it is a publishable one."""
    oidc = {"issuer": issuer, "audience": audience, "jwks_uri": jwks_uri} if issuer else None
    answer = person.call(
        "api-keys/create",
        name=name,
        type="PUBLISHABLE" if issuer else "SECRET",
        permissions=list(permissions),
        rate_limit={"requests_per_minute": per_minute} if per_minute else None,
        expires_at=(datetime.now(UTC) + expires_in).isoformat() if expires_in else None,
        oidc={name: text for name, text in (oidc or {}).items() if text} or None,
        allowed_origins=list(origins) or None,
    )
    show(answer, as_json=as_json, text=lambda: _made(answer["result"]))


@keys.command("list")
@click.option("--all", "every", is_flag=True, help="Revoked and expired ones, too.")
@json_option
@as_person
def list_keys(person: Person, every: bool, as_json: bool) -> None:
    """List the organization's keys, newest first."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = person.call("api-keys/list", page_size=200, page_token=token)
        found += [each for each in page["api_keys"] if every or each["status"] == "ACTIVE"]
        token = page.get("next_page_token", "")
        if not token:
            break
    text = table(_HEADINGS, [_row(each) for each in found]) or "No keys."
    show({"api_keys": found}, as_json=as_json, text=lambda: text)


@keys.command()
@click.argument("key_id")
@click.option("--grace", type=span, help="How long the old text works: 24h unless said, 0s.")
@json_option
@as_person
def rotate(person: Person, key_id: str, grace: timedelta | None, as_json: bool) -> None:
    """Give a key a new text and show it, this once."""
    answer = person.call("api-keys/rotate", key_id=key_id, grace=seconds(grace))
    show(answer, as_json=as_json, text=lambda: _made(answer["result"]))


@keys.command()
@click.argument("key_id")
@json_option
@as_person
def revoke(person: Person, key_id: str, as_json: bool) -> None:
    """End a key for good, within ten seconds."""
    answer = person.call("api-keys/revoke", key_id=key_id)
    show(answer, as_json=as_json, text=lambda: f"{key_id} is revoked.")


@keys.command("revoke-leaked")
@json_option
@as_person
def revoke_leaked(person: Person, as_json: bool) -> None:
    """End a key by its own text, read from standard input: whoever has it may end it."""
    answer = person.call("api-keys/revoke-leaked", key=secret_of("Key"))
    show(answer, as_json=as_json, text=lambda: f"{answer['key_prefix']}... is revoked.")


@keys.command()
@click.argument("key_id")
@json_option
@as_person
def usage(person: Person, key_id: str, as_json: bool) -> None:
    """Show how often a key was used, by day and family of methods."""
    answer = person.call("api-keys/usage", key_id=key_id)
    rows = [
        (day["day"], family["family"], str(family["requests"]), str(family.get("errors", 0)))
        for day in answer["days"]
        for family in day["families"]
    ]
    text = table(("DAY", "FAMILY", "CALLS", "ERRORS"), rows) or "Not used yet."
    show(answer, as_json=as_json, text=lambda: text)


def _made(key: dict[str, Any]) -> str:
    until = key.get("previous_key_ends_at", "")
    earlier = f"\nThe earlier text works until {moment(until)}." if until else ""
    return f"{key['key_id']}  {key['key']}\nShown this once; it cannot be read again.{earlier}"


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    return (
        key["key_id"],
        key["key_prefix"],
        key["type"].lower(),
        key["status"],
        ago(key["created_at"]),
        ago(key.get("last_used_at", "")) or "never",
        " ".join(key["permissions"]),
        key["name"],
    )
