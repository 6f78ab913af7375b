"""An ingress with the grants of keys in it; every other call is answered as the probe would."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from chassis import key_text
from services.api_key.contract import KeyType
from services.api_key.contract.objects import Grant, ReadResponse
from tests.support.ingress import FakeIngress, Seen, response


class KeyStore(FakeIngress):
    """See the module. `down` breaks the connection of whoever looks a key up."""

    def __init__(self) -> None:
        super().__init__()
        self.grants: dict[str, Grant] = {}
        self.down = False
        self.behaviour = self._answer

    def put(self, key: str, **grant: Any) -> None:
        """Let a key grant this."""
        known: dict[str, Any] = {"key_id": "key_1", "tenant_id": "acme", "type": KeyType.SECRET}
        scopes: dict[str, Any] = {"scopes": ["conversations:read"]}
        self.grants[key_text.hash_of(key)] = Grant(**{**known, **scopes, **grant})

    @property
    def lookups(self) -> int:
        """How often a key was looked up."""
        return sum("/ApiKeyGrant/" in seen.line for seen in self.seen)

    @property
    def forwarded(self) -> list[Seen]:
        """The calls that were let through."""
        return [seen for seen in self.seen if "Probe" in seen.line]

    async def _answer(self, seen: Seen) -> bytes | None:
        if "/ApiKeyGrant/" not in seen.line:
            return response()
        if self.down:
            return None
        found = ReadResponse(grant=self.grants.get(seen.line.split("/")[2]))
        return response(body=found.to_json())


@asynccontextmanager
async def key_store() -> AsyncGenerator[KeyStore]:
    """A running store without keys."""
    store = KeyStore()
    await store.start()
    try:
        yield store
    finally:
        await store.stop()
