"""Sealing: secrets of users on their way through Restate, and at rest there.

The edge seals (AES-256-GCM), the owner of a vendor opens, and nobody between the two holds the
key. A sealed text is bound to its tenant: moved to another tenant's record it does not open. The
first key seals; all open, so that keys are changed by putting a new one in front.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from typing import Annotated

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import AfterValidator, SecretStr

from errors import Code, Reason

SEALING_NOT_CONFIGURED = Reason(
    "secrets.not_configured",
    Code.UNAVAILABLE,
    "This installation has no key with which to keep secrets. An operator has to set one.",
    terminal=True,
)

_PREFIX = "sealed1"
_NONCE_BYTES = 12
KEY_BYTES = 32


class SealBrokenError(Exception):
    """The text was sealed for another tenant, with a key that is gone, or was changed."""


class Sealing:
    """The keys of one installation; each is a `SealingKey`."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        raws = [base64.b64decode(key.get_secret_value()) for key in keys]
        self._keys = {_name_of(raw): AESGCM(raw) for raw in raws}

    def seal(self, text: str, tenant_id: str) -> str:
        """The sealed form of a tenant's secret. Raises `secrets.not_configured`."""
        if not self._keys:
            raise SEALING_NOT_CONFIGURED.error()
        name, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + key.encrypt(nonce, text.encode(), tenant_id.encode())
        return f"{_PREFIX}.{name}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, tenant_id: str) -> str:
        """The secret. Raises SealBrokenError."""
        prefix, _, rest = sealed.partition(".")
        name, _, body = rest.partition(".")
        key = self._keys.get(name)
        if prefix != _PREFIX or key is None:
            raise SealBrokenError
        try:
            raw = base64.urlsafe_b64decode(body)
            opened = key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], tenant_id.encode())
        except (InvalidTag, ValueError):
            raise SealBrokenError from None
        return opened.decode()


def _is_key(key: SecretStr) -> SecretStr:
    try:
        raw = base64.b64decode(key.get_secret_value(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError("each key of SECRETS_KEYS must be 32 bytes in base64")
    return key


SealingKey = Annotated[SecretStr, AfterValidator(_is_key)]
"""A key as it stands in the settings: 32 random bytes in base64."""


def _name_of(key: bytes) -> str:
    """What a sealed text calls its key."""
    return hashlib.sha256(b"sealing key name" + key).hexdigest()[:8]
