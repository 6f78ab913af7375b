"""`yocaso orgs`: the organization in which somebody is signed in, its members and its audit log."""

from datetime import timedelta
from typing import Any

import click

from devstack.cli.output import ago, json_option, moment, table
from devstack.cli.people import Person, as_person, seconds, secret_of, show, span

_ROLES = click.Choice(["owner", "admin", "member"])


@click.group()
def orgs() -> None:
    """Make and manage an organization.

    Invite people, change their roles, and read what they did. Sign in first.
    """


@orgs.command()
@click.argument("name")
@json_option
@as_person
def create(person: Person, name: str, as_json: bool) -> None:
    """Make an organization and own it."""
    _joined(person, person.call("orgs/create", name=name), as_json=as_json)


@orgs.command("show")
@json_option
@as_person
def show_organization(person: Person, as_json: bool) -> None:
    """Show the organization."""
    answer = person.call("orgs/get")
    shown = answer["organization"]
    lines = (
        f"{shown['name']}  {shown['tenantId']}",
        f"  members  {shown.get('memberCount', 0)}",
        f"  since    {moment(shown['createdAt'])}",
        *(f"  {name}  {text}" for name, text in shown.get("metadata", {}).items()),
    )
    show(answer, as_json=as_json, text=lambda: "\n".join(lines))


@orgs.command()
@json_option
@as_person
def members(person: Person, as_json: bool) -> None:
    """List the members, newest first."""
    found = _every(person, "orgs/list-members", "members")
    rows = [
        (each["userId"], each.get("email", ""), each["role"], ago(each["joinedAt"]))
        for each in found
    ]
    text = table(("USER", "ADDRESS", "ROLE", "JOINED"), rows)
    show({"members": found}, as_json=as_json, text=lambda: text)


@orgs.command()
@click.argument("email", default="")
@click.option("--role", type=_ROLES, default="member", show_default=True)
@click.option("--expires-in", type=span, help="7d unless said, 30d at most.")
@json_option
@as_person
def invite(
    person: Person, email: str, role: str, expires_in: timedelta | None, as_json: bool
) -> None:
    """Invite somebody and show the token to pass on, this once. Without EMAIL anybody who has it
    can accept it."""
    answer = person.call(
        "orgs/invite-member", email=email, role=role, expiresIn=seconds(expires_in)
    )
    made = answer["invitation"]
    text = (
        f"{made['invitationId']}  {made['token']}\n"
        f"For {made.get('email') or 'whoever has it'}, as {role}, until "
        f"{moment(made['expiresAt'])}. Shown this once; `yocaso orgs accept` takes it."
    )
    show(answer, as_json=as_json, text=lambda: text)


@orgs.command()
@json_option
@as_person
def invitations(person: Person, as_json: bool) -> None:
    """List invitations, newest first."""
    found = _every(person, "orgs/list-invitations", "invitations")
    rows = [
        (
            each["invitationId"],
            each.get("email", ""),
            each["role"],
            each["status"],
            moment(each["expiresAt"]),
        )
        for each in found
    ]
    text = table(("INVITATION", "ADDRESS", "ROLE", "STATE", "UNTIL"), rows) or "No invitations."
    show({"invitations": found}, as_json=as_json, text=lambda: text)


@orgs.command("revoke-invitation")
@click.argument("invitation_id")
@json_option
@as_person
def revoke_invitation(person: Person, invitation_id: str, as_json: bool) -> None:
    """End an invitation."""
    answer = person.call("orgs/revoke-invitation", invitationId=invitation_id)
    show(answer, as_json=as_json, text=lambda: f"{invitation_id} is over.")


@orgs.command()
@json_option
@as_person
def accept(person: Person, as_json: bool) -> None:
    """Accept an invitation, whose token is read from standard input."""
    answer = person.call("orgs/accept-invitation", token=secret_of("Invitation"))
    _joined(person, answer, as_json=as_json)


@orgs.command("set-role")
@click.argument("user_id")
@click.argument("role", type=_ROLES)
@json_option
@as_person
def set_role(person: Person, user_id: str, role: str, as_json: bool) -> None:
    """Give a member another role."""
    answer = person.call("orgs/set-member-role", userId=user_id, role=role)
    show(answer, as_json=as_json, text=lambda: f"{user_id} is now {role}.")


@orgs.command()
@click.argument("user_id")
@json_option
@as_person
def remove(person: Person, user_id: str, as_json: bool) -> None:
    """Remove a member; their access ends within ten seconds."""
    answer = person.call("orgs/remove-member", userId=user_id)
    show(answer, as_json=as_json, text=lambda: _removed(answer))


@orgs.command()
@json_option
@as_person
def leave(person: Person, as_json: bool) -> None:
    """Leave the organization."""
    answer = person.call("orgs/leave")
    show(answer, as_json=as_json, text=lambda: _removed(answer))


@orgs.command()
@click.argument("tenant_id")
@json_option
@as_person
def delete(person: Person, tenant_id: str, as_json: bool) -> None:
    """Delete the organization for good; TENANT_ID is its own, to be sure (owners)."""
    answer = person.call("orgs/delete", confirm=tenant_id)
    ended = f"{tenant_id} is gone, with {answer.get('revokedKeys', 0)} keys."
    show(answer, as_json=as_json, text=lambda: ended)


@orgs.command()
@click.option("--actor", default="", help="What this user, or this API key, did.")
@click.option("--action", default="", help="An action (member.removed) or a noun (member).")
@click.option("--limit", default=50, show_default=True, help="How many at most.")
@json_option
@as_person
def audit(person: Person, actor: str, action: str, limit: int, as_json: bool) -> None:
    """Show who did what, when and from where, newest first."""
    found = _every(person, "orgs/audit-log", "entries", limit, actor=actor, action=action)
    rows = [_entry(each) for each in found]
    headings = ("WHEN", "WHO", "FROM", "DID", "TO", "CHANGES")
    text = table(headings, rows) or "Nothing."
    show({"entries": found}, as_json=as_json, text=lambda: text)


def _every(
    person: Person, method: str, field: str, limit: int | None = None, **asked: str
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while limit is None or len(found) < limit:
        page = person.call(method, pageSize=200, pageToken=token, **asked)
        found += page[field]
        token = page.get("nextPageToken", "")
        if not token:
            break
    return found[:limit]


def _joined(person: Person, answer: dict[str, Any], *, as_json: bool) -> None:
    if person.renews:
        person.renew()
    organization, role = answer["organization"], answer["member"]["role"]
    again = "" if person.renews else "\nSign in again: the token does not name it yet."
    text = f"{organization['name']}  {organization['tenantId']}, you are {role}.{again}"
    show(answer, as_json=as_json, text=lambda: text)


def _removed(answer: dict[str, Any]) -> str:
    return (
        f"{answer['member']['userId']} is out within {answer['accessEndsWithin']}. Their "
        "conversations are kept, for nobody else to read; keys that they made stay in force."
    )


def _entry(entry: dict[str, Any]) -> tuple[str, ...]:
    actor: dict[str, Any] = entry.get("actor", {})
    target: dict[str, Any] = entry.get("target", {})
    who = actor.get("email") or actor.get("userId", "")
    if actor.get("impersonator"):
        who = f"{actor['impersonator']} for {who}"
    changes = " ".join(f"{name}={text}" for name, text in entry.get("changes", {}).items())
    return (
        moment(entry["at"]),
        who,
        actor.get("address", ""),
        entry["action"],
        target.get("name") or target.get("id", ""),
        changes + (f" ({entry['calls']} calls)" if entry.get("calls", 0) > 1 else ""),
    )
