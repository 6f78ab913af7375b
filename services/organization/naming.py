"""The id of a new tenant: `Socayo GmbH` becomes `socayo-gmbh-a1b2c3`."""

import re
import unicodedata

_LONGEST_SLUG = 40
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SUFFIX_BITS = 31
_SUFFIX_LENGTH = 6


def tenant_id(name: str, randomness: int) -> str:
    """A readable form of the name and six characters made of `SUFFIX_BITS` random bits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_SLUG].strip("-") or "org"
    suffix = ""
    for _ in range(_SUFFIX_LENGTH):
        randomness, digit = divmod(randomness, len(_DIGITS))
        suffix += _DIGITS[digit]
    return f"{slug}-{suffix}"
