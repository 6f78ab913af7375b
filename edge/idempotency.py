"""The key that Restate sees, and the fingerprint that finds a key used for two bodies.

Restate scopes keys by service and handler only and ignores the body of a repeat. So the key is a
hash over tenant, user, route and the client's key, and the answer of a keyed call carries the
fingerprint of the body that made it (`chassis.serve`), which is compared and cut off unparsed.
A remembered answer that is not terminal must not stick to its key: a later try goes on with the
key's next generation. A command without a key gets a random one, so that the edge's own retries
never double an effect.
"""

import os
from hashlib import blake2b

from chassis.serve import FINGERPRINT
from edge import reasons
from edge.credentials.verified import Verified
from edge.requests import Request
from edge.routes import Entry

__all__ = ["FINGERPRINT", "Keyed", "key_of", "strip"]

_HEADER = b"idempotency-key"
_LONGEST = 255
_OPEN, _MIDDLE = b'{"h":"', b'","r":'
_HASH_LENGTH = 32
_HASH_END = len(_OPEN) + _HASH_LENGTH
_BODY_START = _HASH_END + len(_MIDDLE)


class Keyed:
    """The idempotency of one forwarded command.

    fingerprint: of the raw body, None when the edge made the key: nobody can repeat that one.
    """

    __slots__ = ("_scope", "fingerprint", "generation")

    def __init__(self, scope: bytes, fingerprint: str | None) -> None:
        self._scope = scope
        self.fingerprint = fingerprint
        self.generation = 0

    @property
    def header(self) -> str:
        """The value of `idempotency-key` towards the ingress."""
        return self._header(self.generation)

    @property
    def first(self) -> str:
        """The header of the first generation, which names the command."""
        return self._header(0)

    def _header(self, generation: int) -> str:
        return blake2b(self._scope, digest_size=24, salt=generation.to_bytes(8, "big")).hexdigest()


def key_of(request: Request, entry: Entry, verified: Verified, body: bytes) -> Keyed | None:
    """The key of this call: none for reads, the client's for commands, or one made here."""
    if not entry.command:
        return None
    given = request.headers.get(_HEADER)
    if given is None:
        return Keyed(os.urandom(24), None)
    if request.is_repeated(_HEADER):
        raise reasons.HEADER_REPEATED.error()
    if not 0 < len(given) <= _LONGEST or any(not 0x21 <= byte <= 0x7E for byte in given):
        raise reasons.IDEMPOTENCY_KEY_INVALID.error()
    caller = verified.caller
    parts = (caller.tenant_id.encode(), caller.user_id.encode(), entry.name.encode(), given)
    scope = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return Keyed(scope, blake2b(body, digest_size=_HASH_LENGTH // 2).hexdigest())


def strip(answer: bytes, fingerprint: str) -> bytes | None:
    """The answer without its envelope, or None when it has none.

    Raises IDEMPOTENCY_CONFLICT when another body made it.
    """
    if not answer.startswith(_OPEN) or answer[_HASH_END:_BODY_START] != _MIDDLE:
        return None
    check(answer[len(_OPEN) : _HASH_END].decode("latin-1"), fingerprint)
    return answer[_BODY_START:-1]


def check(remembered: str, fingerprint: str) -> None:
    """Raises IDEMPOTENCY_CONFLICT when the remembered answer was made by another body."""
    if remembered != fingerprint:
        raise reasons.IDEMPOTENCY_CONFLICT.error()
