"""Who is calling survives the headers, and no name reaches another's key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.identity import (
    AUTH_MODE,
    IDENTITY_HEADERS,
    TENANT_ID,
    USER_ID,
    Caller,
    encode_segment,
    key_segments,
    object_key,
)
from chassis.rpc import Mode

AWKWARD = ["/", "%", "%2F", "a b", " ", "🫖", "ü", "..", "a/b", "%25", "é" * 128, "?", "#", "+"]

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
anything = names | st.sampled_from(AWKWARD)
plain = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", max_size=20)
callers = st.builds(
    Caller,
    tenant_id=anything,
    user_id=anything,
    mode=st.sampled_from(Mode),
    scopes=st.frozensets(st.from_regex(r"[a-z]{1,9}:[a-z]{1,9}", fullmatch=True), max_size=5),
    email=st.just("") | anything,
    role=plain,
    key_id=plain,
    impersonator=st.just("") | anything,
    request_id=plain,
)


@given(caller=callers)
def test_a_caller_comes_out_of_the_headers_as_it_went_in(caller: Caller) -> None:
    headers = caller.to_headers()
    assert Caller.from_headers(headers) == caller
    assert set(headers) <= set(IDENTITY_HEADERS)
    for value in headers.values():
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


@pytest.mark.parametrize("missing", [TENANT_ID, USER_ID, AUTH_MODE])
def test_a_call_that_did_not_come_through_the_edge_has_no_caller(missing: str) -> None:
    headers = Caller("t", "u", Mode.FIREBASE, frozenset()).to_headers()
    del headers[missing]
    with pytest.raises(KeyError):
        Caller.from_headers(headers)


@given(segments=st.lists(anything, min_size=1, max_size=4))
def test_an_object_key_says_what_it_was_made_of(segments: list[str]) -> None:
    key = object_key(*segments)
    assert key_segments(key) == segments
    assert key.isascii()


@given(one=st.lists(anything, max_size=4), other=st.lists(anything, max_size=4))
def test_object_keys_never_collide(one: list[str], other: list[str]) -> None:
    assert (object_key(*one) == object_key(*other)) == (one == other)


@given(tenant=anything, user=anything, other=anything, name=anything)
def test_no_name_of_a_thread_reaches_another_user(
    tenant: str, user: str, other: str, name: str
) -> None:
    mine = Caller(tenant, user, Mode.FIREBASE, frozenset())
    theirs = Caller(tenant, other, Mode.FIREBASE, frozenset())
    assert mine.key(name).startswith(f"{mine.user_key()}/")
    if user != other:
        assert mine.key(name) != theirs.key(name)
        assert not mine.key(name).startswith(f"{theirs.user_key()}/")


def test_unreserved_characters_stay_and_all_others_are_encoded() -> None:
    assert encode_segment("aZ09-._~") == "aZ09-._~"
    assert encode_segment("/%: 🫖") == "%2F%25%3A%20%F0%9F%AB%96"


def test_a_name_of_256_bytes_makes_a_key() -> None:
    name = "🫖" * 64
    assert len(name.encode()) == 256
    caller = Caller("t", "u", Mode.FIREBASE, frozenset())
    assert key_segments(caller.key(name)) == ["t", "u", name]
