"""The text of API keys: a prefix, 190 random bits, and a checksum.

`sk_` or `pk_` (older clients hold `sk_live_`, `sk_test_` and the like), 32 random characters,
then 6 that are the CRC-32 of everything before them. The checksum refuses a typo or an invented
key before anything is looked up, and lets a scanner tell a real key from a text that only looks
like one. It protects nothing: that is what the random part is for.

Only `hash_of` of a key is ever stored. A plain SHA-256 is enough, because nobody can guess 190
bits; a slow hash is for passwords that people choose.
"""

import re
import secrets
import zlib
from hashlib import sha256

SECRET, PUBLISHABLE = "sk_", "pk_"
INVITATION = "invite_"
"""Tokens of invitations are made in the same way; they are no keys."""

PATTERN = r"\b(?:(?:sk|pk)_(?:live_|test_)?|invite_)[0-9A-Za-z]{38}\b"
"""For secret scanners: what looks like a key of ours, or an invitation's token. `is_whole` and
`is_whole_invitation` then say whether it is one."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 32, 6
_WHOLE = re.compile(r"(?:sk|pk)_(?:live_|test_)?[0-9A-Za-z]{38}")
_WHOLE_INVITATION = re.compile(INVITATION + r"[0-9A-Za-z]{38}")
_SHOWN_RANDOM = 6


def new(prefix: str) -> str:
    """A new key."""
    text = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return text + _checksum(text)


def is_whole(key: str) -> bool:
    """Whether the form and the checksum are right. Whether the key exists is another question."""
    return _WHOLE.fullmatch(key) is not None and _is_checked(key)


def is_whole_invitation(token: str) -> bool:
    """The same of an invitation's token."""
    return _WHOLE_INVITATION.fullmatch(token) is not None and _is_checked(token)


def hash_of(key: str) -> str:
    """What is stored in a key's place: 64 hex digits."""
    return sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """The beginning, by which people recognise their key in a list."""
    prefix = key[: key.rindex("_") + 1]
    return key[: len(prefix) + _SHOWN_RANDOM]


def _is_checked(text: str) -> bool:
    return _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits: list[str] = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
