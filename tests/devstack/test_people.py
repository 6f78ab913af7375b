"""People by hand: signing in, an organization, its keys, and what is never said aloud."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chassis import key_text
from devstack.cli.main import main
from devstack.cli.output import REFUSED, USAGE
from devstack.processes import wait_until
from tests.support.dev import READY_SECONDS, Dev


class Terminal:
    """Commands of one person, who has a configuration folder of their own."""

    def __init__(self, dev: Dev, folder: Path) -> None:
        self.dev = dev
        self.folder = folder

    def run(self, *arguments: str, typed: str = "") -> Result:
        """A command in this process."""
        environment = {"XDG_CONFIG_HOME": str(self.folder), "YOCASO_API_KEY": None}
        arguments = (*arguments, "--data", str(self.dev.data))
        return CliRunner().invoke(main, arguments, input=typed, env=environment)

    def read(self, *arguments: str, typed: str = "") -> dict[str, Any]:
        """What a command writes for programs."""
        done = self.run(*arguments, "--json", typed=typed)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def olga(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """An owner of an organization."""
    terminal = Terminal(dev, tmp_path_factory.mktemp("olga"))
    terminal.read("login", "olga-by-hand")
    made = terminal.read("orgs", "create", "By hand")
    assert made["organization"]["tenantId"].startswith("by-hand-")
    return terminal


def test_the_token_is_kept_for_its_owner_alone_and_never_shown(dev: Dev, olga: Terminal) -> None:
    path = olga.folder / "yocaso" / "sessions.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = json.loads(path.read_text())[dev.description["base_url"]]["token"]
    for arguments in (("orgs", "show"), ("keys", "list"), ("login", "olga-by-hand")):
        done = olga.run(*arguments)
        assert done.exit_code == 0, done.output
        assert token not in done.output


def test_nobody_is_signed_in_unless_they_signed_in(dev: Dev, tmp_path: Path) -> None:
    stranger = Terminal(dev, tmp_path)
    done = stranger.run("orgs", "show")
    assert done.exit_code == 1
    assert "yocaso login" in done.output
    stranger.read("login", "stranger")
    assert stranger.run("orgs", "show").exit_code == REFUSED
    stranger.read("logout")
    assert stranger.run("orgs", "show").exit_code == 1


def test_people_are_invited_managed_and_removed(dev: Dev, olga: Terminal, tmp_path: Path) -> None:
    bob = Terminal(dev, tmp_path)
    bob.read("login", "bob-by-hand")
    invited = olga.read("orgs", "invite", "bob-by-hand@example.com", "--expires-in", "2d")
    token = invited["invitation"]["token"]
    joined = bob.read("orgs", "accept", typed=f"{token}\n")
    assert joined["member"]["role"] == "member"
    assert bob.read("orgs", "show")["organization"]["memberCount"] == 2
    listed = olga.read("orgs", "invitations")["invitations"]
    assert [each["status"] for each in listed] == ["ACCEPTED"]
    assert bob.run("keys", "list").exit_code == REFUSED
    olga.read("orgs", "set-role", "bob-by-hand", "admin")

    def is_admin() -> bool:
        return bob.run("keys", "list").exit_code == 0

    assert wait_until(is_admin, READY_SECONDS)
    shown = olga.run("orgs", "members").output
    assert "bob-by-hand@example.com" in shown
    removed = olga.read("orgs", "remove", "bob-by-hand")
    assert removed["data"]["conversations"] == "KEPT"
    members = olga.read("orgs", "members")["members"]
    assert [each["userId"] for each in members] == ["olga-by-hand"]

    def logged() -> bool:
        actions = {each["action"] for each in olga.read("orgs", "audit")["entries"]}
        return {"organization.created", "member.joined", "member.removed"} <= actions

    assert wait_until(logged, READY_SECONDS)
    of_members = olga.read("orgs", "audit", "--action", "member", "--limit", "1")["entries"]
    assert [each["action"] for each in of_members] == ["member.removed"]
    assert "member.removed" in olga.run("orgs", "audit").output


def test_an_organization_is_deleted_by_who_names_it(dev: Dev, tmp_path: Path) -> None:
    dora = Terminal(dev, tmp_path)
    dora.read("login", "dora-by-hand")
    tenant = dora.read("orgs", "create", "Short-lived")["organization"]["tenantId"]
    assert dora.run("orgs", "delete", "another").exit_code == REFUSED
    assert dora.read("orgs", "delete", tenant)["organization"]["tenantId"] == tenant

    def can_start_anew() -> bool:
        return dora.run("orgs", "create", "Next").exit_code == 0

    assert wait_until(can_start_anew, READY_SECONDS)


def test_keys_are_made_rotated_and_revoked(olga: Terminal) -> None:
    made = olga.read(
        "keys", "create", "Back end", "-p", "conversations:read", "--expires-in", "30d"
    )["result"]
    assert key_text.is_whole(made["key"])
    assert made["expires_at"]
    listed = olga.run("keys", "list").output
    assert made["key_id"] in listed
    assert made["key"] not in listed
    rotated = olga.read("keys", "rotate", made["key_id"], "--grace", "0s")["result"]
    assert rotated["key"] != made["key"]
    assert olga.read("keys", "usage", made["key_id"])["days"] == []
    olga.read("keys", "revoke", made["key_id"])
    left = olga.read("keys", "list")["api_keys"]
    assert made["key_id"] not in [each["key_id"] for each in left]
    every = olga.read("keys", "list", "--all")["api_keys"]
    assert made["key_id"] in [each["key_id"] for each in every]


def test_a_publishable_key_is_made_for_an_issuer(dev: Dev, olga: Terminal) -> None:
    issuer = dev.description["issuer"]
    made = olga.read(
        "keys", "create", "App", "--issuer", issuer, "--audience", "yocaso-dev",
        "--origin", "https://app.example",
    )["result"]  # fmt: skip
    assert (made["type"], made["oidc"]["issuer"]) == ("PUBLISHABLE", issuer)


def test_a_pasted_key_is_revoked_by_itself(dev: Dev, olga: Terminal, tmp_path: Path) -> None:
    made = olga.read("keys", "create", "Leaked")["result"]
    finder = Terminal(dev, tmp_path)
    finder.read("login", "finder")
    finder.read("orgs", "create", "Finders")
    done = finder.run("keys", "revoke-leaked", typed=made["key"])
    assert done.exit_code == 0, done.output
    assert made["key"] not in done.output
    every = olga.read("keys", "list", "--all")["api_keys"]
    status = {each["key_id"]: each["status"] for each in every}
    assert status[made["key_id"]] == "REVOKED"
    unknown = finder.run("keys", "revoke-leaked", typed=key_text.new("sk_"))
    assert unknown.exit_code == REFUSED


def test_a_span_that_is_none_is_a_wrong_usage(olga: Terminal) -> None:
    for wrong in ("soon", "7", "d", "-1d", "1w", "1.5h"):
        assert olga.run("orgs", "invite", "--expires-in", wrong).exit_code == USAGE
