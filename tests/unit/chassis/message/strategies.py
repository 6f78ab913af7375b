"""Generated messages of the shape that the oracle knows, and pieces of JSON."""

import math
from datetime import UTC, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.unit.chassis.message.oracle import Everything, Kind

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
_moments = st.datetimes().map(lambda naive: naive.replace(tzinfo=UTC))
_lengths = st.timedeltas(timedelta(seconds=-(10**11)), timedelta(seconds=10**11))
# Numbers that 32 bits hold exactly and print as 64 bits do.
_floats = st.integers(-999, 999).map(lambda n: n / 4) | st.sampled_from([math.nan, math.inf])
_json_numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | _json_numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
_i32 = st.integers(-(2**31), 2**31 - 1)
_i64 = st.integers(-(2**63), 2**63 - 1)
_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)
_kinds = st.sampled_from(Kind)


def _messages(node: st.SearchStrategy[Everything]) -> st.SearchStrategy[Everything]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "a_text": texts,
        "a_flag": st.booleans(),
        "int_32": _i32,
        "u_int32": _u32,
        "int64_field": _i64,
        "uint64_field": _u64,
        "double_x2": st.floats(),
        "float_x": _floats,
        "some_bytes": st.binary(max_size=4),
        "kind": _kinds,
        "moment": _moments,
        "length": _lengths,
        "node": node,
        "free": st.dictionaries(texts, json_values, max_size=2),
        "any_value": json_values,
        "any_list": st.lists(json_values, max_size=2),
        "opt_text": texts,
        "opt_int": _i32,
        "opt_kind": _kinds,
        "texts": st.lists(texts, max_size=2),
        "numbers": st.lists(_i64, max_size=2),
        "kinds": st.lists(_kinds, max_size=2),
        "nodes": st.lists(node, max_size=2),
        "moments": st.lists(_moments, max_size=2),
        "blobs": st.lists(st.binary(max_size=4), max_size=2),
        "text_map": st.dictionaries(texts, texts, max_size=2),
        "int_map": st.dictionaries(_i32, st.floats(), max_size=2),
        "big_map": st.dictionaries(_u64, _u64, max_size=2),
        "flag_map": st.dictionaries(st.booleans(), _kinds, max_size=2),
        "node_map": st.dictionaries(texts, node, max_size=2),
    }
    choices: list[dict[str, st.SearchStrategy[Any]]] = [
        {},
        {"one_text": texts},
        {"one_number": _i64},
        {"one_node": node},
    ]
    names = st.lists(st.sampled_from(sorted(fields)), max_size=6, unique=True)
    some = names.flatmap(lambda names: st.fixed_dictionaries({n: fields[n] for n in names}))
    one = st.sampled_from(choices).flatmap(st.fixed_dictionaries)
    return st.tuples(some, one).map(_everything_of)


def _everything_of(parts: tuple[dict[str, Any], dict[str, Any]]) -> Everything:
    return Everything(**parts[0], **parts[1])


everything = st.recursive(st.builds(Everything), _messages, max_leaves=3)
