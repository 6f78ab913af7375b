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

PATTERN = r"\b(?:sk|pk)_(?:live_|test_)?[0-9A-Za-z]{38}\b"
"""For secret scanners: what looks like a key of ours. `is_whole` then says whether it is one."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 32, 6
_WHOLE = re.compile(r"(?:sk|pk)_(?:live_|test_)?[0-9A-Za-z]{38}")
_SHOWN_RANDOM = 6


def new(prefix: str) -> str:
    """A new key."""
    text = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return text + _checksum(text)


def is_whole(key: str) -> bool:
    """Whether the form and the checksum are right. Whether the key exists is another question."""
    if not _WHOLE.fullmatch(key):
        return False
    return _checksum(key[:-_CHECKSUM_LENGTH]) == key[-_CHECKSUM_LENGTH:]


def hash_of(key: str) -> str:
    """What is stored in a key's place: 64 hex digits."""
    return sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """The beginning, by which people recognise their key in a list."""
    prefix = key[: key.rindex("_") + 1]
    return key[: len(prefix) + _SHOWN_RANDOM]


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits: list[str] = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
