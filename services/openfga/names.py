"""Our entities as OpenFGA's names, and back: `file:<tenant>/<id>`, each segment percent-encoded.

The tenant is part of every name, so no tuple and no question can reach into another tenant. The
server takes 256 bytes for an object and 512 for a subject. Ids of objects are made by the platform
and fit; ids of users may not, and are hashed then: nobody reads them back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from chassis.identity import encode_segment, key_segments, object_key
from chassis.message import REQUEST_INVALID
from errors import ErrorDetails, FieldViolation, RpcError
from services.openfga.contract import Entity, EntityType, Tuple

_LONGEST_USER, _LONGEST_OBJECT = 512, 256
_TYPES = {
    EntityType.USER: "user",
    EntityType.TENANT: "tenant",
    EntityType.FOLDER: "folder",
    EntityType.FILE: "file",
    EntityType.CONVERSATION: "conversation",
    EntityType.DEPLOYMENT: "deployment",
}


@dataclass(frozen=True, slots=True)
class NamedTuple:
    """A tuple in OpenFGA's words."""

    user: str
    relation: str
    object: str


def type_name(kind: EntityType, field: str) -> str:
    """The model's word for a type."""
    name = _TYPES.get(kind)
    if name is None:
        raise _violation(field, "must be one of the types of the model")
    return name


def user(tenant_id: str, user_id: str) -> str:
    """The name of a user."""
    name = f"user:{object_key(tenant_id, user_id)}"
    if len(name) <= _LONGEST_USER:
        return name
    # `=` is never left by the encoding, so no short id can be the same.
    digest = sha256(user_id.encode()).hexdigest()
    return f"user:{encode_segment(tenant_id)}/={digest}"


def entity(tenant_id: str, named: Entity, field: str) -> str:
    """The name of an entity. Raises `request.invalid` for one that has none."""
    kind = type_name(named.type, f"{field}.type")
    if named.type is EntityType.TENANT:
        if named.id:
            raise _violation(f"{field}.id", "must be empty: there is one tenant in a request")
        return f"{kind}:{encode_segment(tenant_id)}"
    if not named.id:
        raise _violation(f"{field}.id", "is required")
    if named.type is EntityType.USER:
        return user(tenant_id, named.id)
    name = f"{kind}:{object_key(tenant_id, named.id)}"
    if len(name) > _LONGEST_OBJECT:
        raise _violation(f"{field}.id", "is too long")
    return name


def tuples(tenant_id: str, written: Iterable[Tuple]) -> list[NamedTuple]:
    """Tuples in OpenFGA's words, each once: the server refuses repetitions."""
    named = [_tuple(tenant_id, each, f"tuples[{n}]") for n, each in enumerate(written)]
    return list(dict.fromkeys(named))


def role(tenant_id: str, user_id: str, word: str) -> NamedTuple:
    """That a user has a role in the tenant."""
    return NamedTuple(user(tenant_id, user_id), word, f"tenant:{encode_segment(tenant_id)}")


def id_of(tenant_id: str, kind: EntityType, name: str) -> str | None:
    """The id in a name; None for one that is not of this type and tenant."""
    type_of, _, rest = name.partition(":")
    segments = key_segments(rest)
    if type_of != _TYPES.get(kind) or len(segments) != 2 or segments[0] != tenant_id:
        return None
    return segments[1]


def _tuple(tenant_id: str, written: Tuple, field: str) -> NamedTuple:
    subject = entity(tenant_id, written.subject, f"{field}.subject")
    if written.subject_relation is not None:
        subject = f"{subject}#{written.subject_relation}"
    return NamedTuple(
        subject, written.relation, entity(tenant_id, written.object, f"{field}.object")
    )


def _violation(field: str, description: str) -> RpcError:
    violation = FieldViolation(field=field, description=description)
    return REQUEST_INVALID.error(details=ErrorDetails(field_violations=(violation,)))
