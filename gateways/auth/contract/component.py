"""The gateway itself, and the scopes of its methods."""

from chassis.retries import REQUEST
from chassis.rpc import Component, Kind, Mode

component = Component(name="AuthGateway", kind=Kind.GATEWAY, retries=REQUEST, base="/api/v1/")

PEOPLE = frozenset({Mode.FIREBASE})
PEOPLE_AND_SERVERS = frozenset({Mode.FIREBASE, Mode.SECRET_KEY})

KEYS_READ, KEYS_WRITE = "keys:read", "keys:write"
LEAKS_WRITE = "leaks:write"
"""To end a key by its own text; everybody has it, whoever holds a key can do worse."""
ORGS_READ, ORGS_WRITE = "orgs:read", "orgs:write"
AUDIT_READ = "audit:read"
MEMBERSHIP_WRITE = "membership:write"
"""One's own membership."""
