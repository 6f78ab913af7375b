"""May this caller call this route: the kind of credential, the tenant, the scope."""

from collections.abc import Iterable

from chassis.rpc import Mode
from edge import reasons
from edge.credentials.verified import Verified
from edge.routes import Entry

# What members lack: everything named `manage`, and the administration of the
# organisation, its members and its keys.
_ADMINISTRATION = frozenset({"orgs:write", "audit:read", "keys:read", "keys:write"})


def check(verified: Verified, entry: Entry) -> None:
    """Raises PERMISSION_DENIED unless mode, tenant and scope fit the route.

    A user without a tenant has no role and so no scopes: on a tenant-free route the route itself
    is the permission.
    """
    route, caller = entry.route, verified.caller
    if caller.mode not in route.modes:
        raise reasons.MODE_NOT_ALLOWED.error()
    if not caller.tenant_id:
        if not route.tenant_free:
            raise reasons.TENANT_MISSING.error()
    elif route.scope not in caller.scopes:
        raise reasons.SCOPE_MISSING.error()


class RoleScopes:
    """The scopes of token callers by role; they are those that some route names."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        every = frozenset(
            entry.route.scope for entry in entries if Mode.FIREBASE in entry.route.modes
        )
        member = frozenset(
            scope
            for scope in every
            if not scope.endswith(":manage") and scope not in _ADMINISTRATION
        )
        self._by_role = {"owner": every, "admin": every, "member": member}

    def of(self, role: str) -> frozenset[str]:
        """The scopes of a role; none for a role that does not exist."""
        return self._by_role.get(role, frozenset())
