"""Who is signed in at which platform: a file in the user's configuration that only they can read.

Keys and tokens are never options of a command, which everybody on the machine could read.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from devstack.cli.output import CommandError, UnreachableError
from devstack.data_directory import write_private


@dataclass(frozen=True)
class Session:
    """A person's token for one platform.

    issuer: of the development issuer, which makes a new token for the asking; empty for others.
    claims: what it is asked for, `sub` among them.
    """

    token: str
    issuer: str
    claims: dict[str, str]

    def renewed(self) -> "Session":
        """The same person with a new token, which claims what has changed meanwhile."""
        if not self.issuer:
            raise CommandError("The token is no longer accepted. Run `yocaso login` again.")
        return Session(token_of(self.issuer, self.claims), self.issuer, self.claims)


def path() -> Path:
    """Where sessions are kept."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "yocaso" / "sessions.json"


def load(base_url: str) -> Session:
    """The session at a platform; raises CommandError when nobody has signed in there."""
    found = _all().get(base_url)
    if found is None:
        raise CommandError("Nobody is signed in there. Run `yocaso login` first.")
    return found


def keep(base_url: str, session: Session) -> None:
    """Remember a session until the next one of this platform."""
    sessions = {**_all(), base_url: session}
    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path(), json.dumps({url: asdict(each) for url, each in sessions.items()}))


def forget(base_url: str) -> None:
    """Sign out there."""
    sessions = _all()
    if sessions.pop(base_url, None) is not None:
        write_private(path(), json.dumps({url: asdict(each) for url, each in sessions.items()}))


def token_of(issuer: str, claims: dict[str, str]) -> str:
    """A token of the development issuer."""
    try:
        answer = httpx.post(f"{issuer}/token", json=claims, timeout=30, trust_env=False)
        return str(answer.raise_for_status().json()["token"])
    except httpx.HTTPError:
        raise UnreachableError(f"The issuer at {issuer} does not answer.") from None


def _all() -> dict[str, Session]:
    try:
        kept = json.loads(path().read_text())
        return {url: Session(**each) for url, each in kept.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        raise CommandError(f"{path()} cannot be read. Remove it and sign in again.") from None
