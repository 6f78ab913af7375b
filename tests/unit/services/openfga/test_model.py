"""The model that people read is the model that the server gets."""

import json
from collections.abc import Iterator
from typing import Any

from services.openfga import model
from services.openfga.contract import EntityType
from services.openfga.names import type_name

DSL = model.PATH.with_suffix(".fga").read_text()


def in_words(shown: dict[str, Any]) -> str:
    """A model in OpenFGA's language; only what ours uses of it."""
    lines = ["model", f"  schema {shown['schema_version']}"]
    for each in shown["type_definitions"]:
        lines += ["", f"type {each['type']}"]
        relations = dict(relations_in_words(each))
        if relations:
            lines.append("  relations")
        lines += [f"    define {name}: {rule}" for name, rule in relations.items()]
    return "\n".join(lines) + "\n"


def relations_in_words(shown: dict[str, Any]) -> Iterator[tuple[str, str]]:
    metadata: dict[str, Any] = shown["metadata"] or {}
    written: dict[str, Any] = metadata.get("relations", {})
    for name, rule in shown["relations"].items():
        children = rule["union"]["child"] if "union" in rule else [rule]
        known: dict[str, Any] = written.get(name, {})
        subjects: list[dict[str, str]] = known.get("directly_related_user_types", [])
        yield name, " or ".join(rule_in_words(child, subjects) for child in children)


def rule_in_words(rule: dict[str, Any], subjects: list[dict[str, str]]) -> str:
    match rule:
        case {"this": _}:
            words = [
                each["type"] + (f"#{each['relation']}" if each.get("relation") else "")
                for each in subjects
            ]
            return f"[{', '.join(words)}]"
        case {"computedUserset": {"relation": relation}}:
            return relation
        case {
            "tupleToUserset": {
                "tupleset": {"relation": parent},
                "computedUserset": {"relation": relation},
            }
        }:
            return f"{relation} from {parent}"
        case _:
            raise AssertionError(f"a rule that this test cannot say: {rule}")


def test_both_forms_say_the_same() -> None:
    assert in_words(model.ours()) == DSL


def test_the_contract_has_every_type_of_the_model() -> None:
    types = [each["type"] for each in model.ours()["type_definitions"]]
    assert types == [type_name(kind, "") for kind in list(EntityType)[1:]]


def test_permissions_can_only_be_derived_and_relations_only_be_written() -> None:
    for each in model.ours()["type_definitions"]:
        for name, rule in relations_in_words(each):
            assert name.startswith("can_") != rule.startswith("["), f"{each['type']}.{name}"


def test_a_model_with_what_the_server_adds_is_still_ours() -> None:
    theirs = json.loads(json.dumps(model.ours()))
    theirs |= {"id": "01M8415W3FGNKRX6CSVFZNHJHA", "conditions": {}}
    for each in theirs["type_definitions"]:
        if each["metadata"]:
            each["metadata"] |= {"module": "", "source_info": None}
    assert model.is_ours(theirs)


def test_a_model_that_lets_others_in_is_not_ours() -> None:
    wider = json.loads(json.dumps(model.ours()))
    (file,) = (each for each in wider["type_definitions"] if each["type"] == "file")
    viewers = file["metadata"]["relations"]["viewer"]["directly_related_user_types"]
    viewers.append({"type": "user", "wildcard": {}})
    assert not model.is_ours(wider)


def test_a_model_whose_relation_cannot_be_written_is_not_ours() -> None:
    other = json.loads(json.dumps(model.ours()))
    (file,) = (each for each in other["type_definitions"] if each["type"] == "file")
    file["relations"]["viewer"]["union"]["child"].pop(0)
    assert not model.is_ours(other)
