"""Who is calling: read once in a gateway from the headers that the edge made.

The edge establishes identity and sends exactly these headers, built new; nothing below a gateway
reads headers, identity travels there in typed requests and in object keys. From where a caller
calls is told to audited methods alone: nobody else has a use for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from chassis.rpc import Mode

TENANT_ID = "x-tenant-id"
USER_ID = "x-user-id"
USER_EMAIL = "x-user-email"
ROLE = "x-role"
SCOPES = "x-scopes"
AUTH_MODE = "x-auth-mode"
KEY_ID = "x-key-id"
IMPERSONATOR = "x-impersonator"
CLIENT_ADDRESS = "x-client-address"
CLIENT_AGENT = "x-client-agent"
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

IDENTITY_HEADERS = (
    TENANT_ID, USER_ID, USER_EMAIL, ROLE, SCOPES, AUTH_MODE, KEY_ID, IMPERSONATOR, CLIENT_ADDRESS,
    CLIENT_AGENT, REQUEST_ID, TRACEPARENT, TRACESTATE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. `user_id` is namespaced by issuer and unique within the tenant.

    address, user_agent: from where they call, told to methods that are `audited` only.
    """

    tenant_id: str
    user_id: str
    mode: Mode
    scopes: frozenset[str]
    email: str = ""
    role: str = ""
    key_id: str = ""
    impersonator: str = ""
    request_id: str = ""
    address: str = ""
    user_agent: str = ""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Caller":
        """The caller that the edge's headers (lower-case names) describe.

        Raises KeyError when they are missing: the call did not come through the edge.
        """
        return cls(
            tenant_id=unquote(headers[TENANT_ID]),
            user_id=unquote(headers[USER_ID]),
            mode=Mode(headers[AUTH_MODE]),
            scopes=frozenset(headers.get(SCOPES, "").split()),
            email=unquote(headers.get(USER_EMAIL, "")),
            role=headers.get(ROLE, ""),
            key_id=headers.get(KEY_ID, ""),
            impersonator=unquote(headers.get(IMPERSONATOR, "")),
            request_id=headers.get(REQUEST_ID, ""),
            address=unquote(headers.get(CLIENT_ADDRESS, "")),
            user_agent=unquote(headers.get(CLIENT_AGENT, "")),
        )

    def to_headers(self) -> dict[str, str]:
        """The headers that the edge sends. Free text is percent-encoded to stay ASCII."""
        headers = {
            TENANT_ID: encode_segment(self.tenant_id),
            USER_ID: encode_segment(self.user_id),
            AUTH_MODE: self.mode.value,
            SCOPES: " ".join(sorted(self.scopes)),
        }
        optional = {
            USER_EMAIL: encode_segment(self.email),
            ROLE: self.role,
            KEY_ID: self.key_id,
            IMPERSONATOR: encode_segment(self.impersonator),
            REQUEST_ID: self.request_id,
            CLIENT_ADDRESS: encode_segment(self.address),
            CLIENT_AGENT: encode_segment(self.user_agent),
        }
        return headers | {name: value for name, value in optional.items() if value}

    def user_key(self) -> str:
        """The key of actors that belong to the user: `tenant/user`."""
        return object_key(self.tenant_id, self.user_id)

    def key(self, *names: str) -> str:
        """The key of actors below the user: `tenant/user/<name>...`."""
        return object_key(self.tenant_id, self.user_id, *names)


def encode_segment(text: str) -> str:
    """One segment of an object key: RFC 3986 unreserved characters stay, all else is encoded."""
    return quote(text, safe="")


def object_key(*segments: str) -> str:
    """An object key. Encoding each segment keeps `/` in a name from reaching another's key."""
    return "/".join(map(encode_segment, segments))


def key_segments(key: str) -> list[str]:
    """The segments of an object key, decoded."""
    return [unquote(segment) for segment in key.split("/")]
