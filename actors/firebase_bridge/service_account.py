"""What a service account signs: assertions that get it an access token, and custom tokens.

A custom token signs its bearer in as the user that it names, so it is a secret: make it where the
answer goes straight to that person, never in a handler, whose results Restate keeps.
"""

from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, ValidationError

from chassis.steps import clock

LIFETIME_SECONDS = 3600
_SCOPE = "https://www.googleapis.com/auth/identitytoolkit"
_CUSTOM_AUDIENCE = (
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
)
_LONGEST_USER_ID = 128
# Firebase refuses a custom token that claims one of these.
_RESERVED = frozenset({
    "acr", "amr", "at_hash", "aud", "auth_time", "azp", "cnf", "c_hash", "exp", "firebase", "iat",
    "iss", "jti", "nbf", "nonce", "sub",
})  # fmt: skip


class KeyFileError(ValueError):
    """The text is not the key file of a service account. Never says what it is instead."""


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    project_id: str
    private_key_id: str = ""
    private_key: str
    client_email: str
    token_uri: str = "https://oauth2.googleapis.com/token"


class ServiceAccount:
    """One service account with its private key."""

    def __init__(self, key_file: str) -> None:
        """Read the JSON text of a key file. Raises KeyFileError."""
        try:
            found = _KeyFile.model_validate_json(key_file)
            key = load_pem_private_key(found.private_key.encode(), password=None)
        except (ValidationError, ValueError, TypeError):
            raise KeyFileError("not the key file of a service account") from None
        if not isinstance(key, RSAPrivateKey):
            raise KeyFileError("not the key file of a service account")
        self.project_id = found.project_id
        self.email = found.client_email
        self.token_url = found.token_uri
        self._key = key
        self._key_id = found.private_key_id

    def assertion(self, token_url: str) -> str:
        """The text that is exchanged for an access token at `token_url`."""
        return self._signed({"iss": self.email, "aud": token_url, "scope": _SCOPE})

    def custom_token(self, user_id: str, claims: Mapping[str, Any] | None = None) -> str:
        """A token that signs its bearer in as this user, for an hour; see the module.

        claims: what the user's ID tokens carry for as long as this sign-in lasts.
        Raises ValueError for a user id or claims that Firebase would refuse.
        """
        if not 0 < len(user_id) <= _LONGEST_USER_ID:
            raise ValueError("a user id has 1 to 128 characters")
        if claims is not None and not _RESERVED.isdisjoint(claims):
            raise ValueError("a claim has a reserved name")
        said: dict[str, Any] = {
            "iss": self.email,
            "sub": self.email,
            "aud": _CUSTOM_AUDIENCE,
            "uid": user_id,
        }
        return self._signed({**said, "claims": dict(claims)} if claims else said)

    def _signed(self, said: dict[str, Any]) -> str:
        at = int(clock())
        headers = {"kid": self._key_id} if self._key_id else None
        times = {"iat": at, "exp": at + LIFETIME_SECONDS}
        return jwt.encode({**said, **times}, self._key, algorithm="RS256", headers=headers)
