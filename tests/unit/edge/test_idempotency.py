"""The key towards Restate differs by tenant, user, route, client key and generation."""

import pytest

from chassis.identity import Caller
from chassis.rpc import Mode
from edge.credentials.verified import Verified
from edge.idempotency import Keyed, key_of, strip
from edge.requests import Request
from edge.routes import Entry
from errors import Code, RpcError
from tests.support import probe

H = "a" * 32


def _key(
    tenant: str = "t", user: str = "u", key: bytes = b"k", entry: Entry | None = None
) -> Keyed:
    caller = Caller(tenant, user, Mode.SECRET_KEY, frozenset())
    scope = {
        "method": "POST", "path": "/", "raw_path": b"/", "headers": [(b"idempotency-key", key)],
    }  # fmt: skip
    keyed = key_of(Request(scope), entry or _entry("Add"), Verified(caller, "key"), b"{}")
    assert keyed is not None
    return keyed


def _entry(name: str) -> Entry:
    rpc = next(rpc for rpc in probe.PROBE.rpcs if rpc.name == name)
    assert rpc.route is not None
    return Entry(rpc, rpc.route)


def test_no_two_scopes_share_a_key() -> None:
    keys = [
        _key(), _key(tenant="t2"), _key(user="u2"), _key(key=b"k2"), _key(entry=_entry("AddToo")),
        # The same letters cut at other places.
        _key(tenant="tu", user=""), _key(tenant="", user="tu"), _key(user="uk", key=b"x"),
    ]  # fmt: skip
    assert len({keyed.header for keyed in keys}) == len(keys)
    assert _key().header == _key().header


def test_each_generation_is_another_key() -> None:
    keyed = _key()
    first = keyed.header
    keyed.generation = 1
    assert keyed.header != first
    keyed.generation = 0
    assert keyed.header == first


def test_an_envelope_is_cut_off_and_the_answer_is_unchanged() -> None:
    assert strip(b'{"h":"' + H.encode() + b'","r":{"h":"x"}}', H) == b'{"h":"x"}'


def test_the_envelope_of_another_body_is_a_conflict() -> None:
    with pytest.raises(RpcError) as conflict:
        strip(b'{"h":"' + H.encode() + b'","r":{}}', "b" * 32)
    assert conflict.value.code is Code.IDEMPOTENCY_CONFLICT


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"h":"short","r":{}}', b"x" * 60])
def test_an_answer_without_an_envelope_is_not_taken_for_one(answer: bytes) -> None:
    assert strip(answer, H) is None
