"""The users of the double: custom claims and sign-ins, kept in a file where there is one."""

import json
import secrets
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter


class Account(BaseModel):
    """One user. `attributes` is what was set, the JSON text of an object."""

    attributes: str = ""
    valid_since: int = 0

    def claims(self) -> dict[str, Any]:
        """What the user's tokens claim beside who they are."""
        return json.loads(self.attributes or "{}")


class SignIn(BaseModel):
    """One sign-in, which can be made into new tokens for as long as it is valid."""

    user_id: str
    auth_time: int
    claims: dict[str, Any] = Field(default_factory=dict[str, Any])


_ACCOUNTS = TypeAdapter(dict[str, Account])


class Accounts:
    """All users. A user exists from the first look at them that may create one."""

    def __init__(self, path: Path | None = None) -> None:
        """path: the file that keeps them over a restart; without one they are forgotten."""
        self._path = path
        self._sign_ins: dict[str, SignIn] = {}
        kept = path is not None and path.exists()
        self._accounts = _ACCOUNTS.validate_json(path.read_bytes()) if kept and path else {}

    def find(self, user_id: str) -> Account | None:
        """The user, if there is one."""
        return self._accounts.get(user_id)

    def open(self, user_id: str) -> Account:
        """The user, who is made if there was none."""
        if user_id not in self._accounts:
            self._accounts[user_id] = Account()
            self.keep()
        return self._accounts[user_id]

    def keep(self) -> None:
        """Write what was changed."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_bytes(_ACCOUNTS.dump_json(self._accounts))
            new.replace(self._path)

    def sign_in(self, sign_in: SignIn) -> str:
        """The refresh token of a new sign-in."""
        refresh_token = secrets.token_urlsafe(32)
        self._sign_ins[refresh_token] = sign_in
        return refresh_token

    def signed_in(self, refresh_token: str) -> SignIn | None:
        """The sign-in, unless it was ended or there was none."""
        found = self._sign_ins.get(refresh_token)
        if found is None or found.auth_time < self.open(found.user_id).valid_since:
            return None
        return found
