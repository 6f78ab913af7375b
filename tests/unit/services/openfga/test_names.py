"""Names stay within their tenant, are what the server takes, and can be read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import RpcError
from services.openfga import names
from services.openfga.contract import Entity, EntityType, Tuple
from services.openfga.names import NamedTuple

# What OpenFGA's own API takes.
OBJECT, USER = re.compile(r"[^\s:#@]{1,254}:[^\s:#@]{2,254}"), re.compile(r"[^\s]{2,512}")
# At most twelve bytes a character when it is encoded, and two such ids in a name.
ids = st.text(min_size=1, max_size=10)
KINDS = [EntityType.FOLDER, EntityType.FILE, EntityType.CONVERSATION, EntityType.DEPLOYMENT]


def violated(error: RpcError) -> list[str]:
    return [violation.field for violation in error.details.field_violations]


@given(ids, ids, ids, ids)
def test_no_two_users_have_one_name(tenant: str, user: str, tenant_2: str, user_2: str) -> None:
    same = names.user(tenant, user) == names.user(tenant_2, user_2)
    assert same == ((tenant, user) == (tenant_2, user_2))


@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=256))
def test_every_user_has_a_name_that_the_server_takes(tenant: str, user: str) -> None:
    name = names.user(tenant, user)
    if len(tenant.encode()) <= 128:
        assert USER.fullmatch(name), name
    assert name.count(":") == 1


def test_a_long_id_of_a_user_is_hashed_and_no_short_one_can_be_that_hash() -> None:
    name = names.user("acme", "ü" * 256)
    assert len(name) < 100
    assert names.user("acme", name.partition("/")[2]) != name


@given(ids, ids, st.sampled_from(KINDS))
def test_an_object_is_read_back_in_its_own_tenant_alone(
    tenant: str, id: str, kind: EntityType
) -> None:
    name = names.entity(tenant, Entity(type=kind, id=id), "object")
    assert OBJECT.fullmatch(name), name
    assert names.id_of(tenant, kind, name) == id
    assert names.id_of(tenant + "x", kind, name) is None
    other = next(each for each in KINDS if each is not kind)
    assert names.id_of(tenant, other, name) is None


def test_an_id_that_looks_like_a_way_into_another_tenant_stays_in_this_one() -> None:
    name = names.entity("acme", Entity(type=EntityType.FILE, id="../globex/f"), "object")
    assert name == "file:acme/..%2Fglobex%2Ff"


@pytest.mark.parametrize(
    ("entity", "field"),
    [
        (Entity(id="f"), "object.type"),
        (Entity(type=EntityType.FILE), "object.id"),
        (Entity(type=EntityType.TENANT, id="globex"), "object.id"),
        (Entity(type=EntityType.FILE, id="x" * 256), "object.id"),
    ],
)
def test_what_has_no_name_is_refused_with_its_field(entity: Entity, field: str) -> None:
    with pytest.raises(RpcError) as refused:
        names.entity("acme", entity, "object")
    assert refused.value.reason == "request.invalid"
    assert violated(refused.value) == [field]


def test_everybody_is_the_members_of_the_tenant_and_repetitions_count_once() -> None:
    shared = Tuple(
        subject=Entity(type=EntityType.TENANT),
        subject_relation="member",
        relation="viewer",
        object=Entity(type=EntityType.FOLDER, id="f1"),
    )
    assert names.tuples("acme", [shared, shared]) == [
        NamedTuple("tenant:acme#member", "viewer", "folder:acme/f1")
    ]
