"""Names and keys that exist only in a development stack or a test."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from chassis import key_text

AUDIENCE = "yocaso-dev"
"""For whom the development issuer's tokens are."""
LOCAL_MODEL_ID = "local/smollm2-135m-instruct"
"""The name under which the local model is asked."""

_RESOURCES = (
    "conversations",
    "models",
    "mcp",
    "memories",
    "storage",
    "integrations",
    "webhooks",
    "notifications",
    "socayo",
    "orgs",
)
MEMBER_SCOPES = tuple(
    f"{resource}:{action}" for resource in _RESOURCES for action in ("read", "write")
)


def new_sealing_key() -> str:
    """A key for SECRETS_KEYS, with which the edge seals what users entrust to it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class SecretKey:
    """A key and whom it stands for. The edge is given the hash only."""

    tenant_id: str
    user_id: str
    scopes: tuple[str, ...] = MEMBER_SCOPES
    key_id: str = field(default_factory=lambda: f"key_{secrets.token_hex(8)}")
    key: str = field(default_factory=lambda: key_text.new(key_text.SECRET), repr=False)

    def setting(self) -> dict[str, Any]:
        """This key's entry in the edge's setting EDGE_SECRET_KEYS."""
        return {
            "key_id": self.key_id,
            "sha256": key_text.hash_of(self.key),
            "tenant_id": self.tenant_id,
            "user_id": self.user_id,
            "scopes": list(self.scopes),
        }
