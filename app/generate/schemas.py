"""The messages of public methods as JSON Schema, under names that a client can live with.

A method's request and answer are named for the method (`SendMessageRequest`), because contracts
share and rename messages as they like. Nouns (`Run`, `Event`) keep their own name; where a noun
is read otherwise than it is written, what a client sends is `<Noun>Input`.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chassis.rpc import Rpc

Schema = dict[str, Any]
Way = Literal["validation", "serialization"]

REF = "#/components/schemas/"


class Schemas:
    """The schemas of these methods. `request` and `response` give the references to them."""

    def __init__(self, rpcs: Sequence[Rpc[Any, Any]]) -> None:
        models: list[tuple[type[BaseModel], Way]] = []
        for rpc in rpcs:
            models.append((rpc.request, "validation"))
            models.append((rpc.response, "serialization"))
        self._streams = {rpc for rpc in rpcs if rpc.route is not None and rpc.route.stream}
        keys, shown = models_json_schema(list(dict.fromkeys(models)), ref_template=REF + "{model}")
        raw = cast("dict[str, Schema]", shown.get("$defs", {}))
        names = {name: _plain(name, raw) for name in raw}
        self.definitions = {
            names[name]: _described(_renamed(schema, names)) for name, schema in raw.items()
        }
        self._named = {key: names[found["$ref"].removeprefix(REF)] for key, found in keys.items()}
        self._shared_names = Counter(rpc.name for rpc in rpcs)
        used = self._name_by_method(rpcs)
        # What only stood for a method now has the method's name.
        top = set(self._named.values()) - used - _referenced(self.definitions)
        self.definitions = dict(
            sorted((name, schema) for name, schema in self.definitions.items() if name not in top)
        )

    def request(self, rpc: Rpc[Any, Any]) -> Schema:
        """A reference to what the method takes."""
        return {"$ref": REF + self._method_name(rpc, "Request")}

    def response(self, rpc: Rpc[Any, Any]) -> Schema:
        """A reference to what the method answers."""
        return {"$ref": REF + self._response_name(rpc)}

    def needs_body(self, rpc: Rpc[Any, Any]) -> bool:
        """Whether a field of the request is required, so that `{}` does not do."""
        return bool(self.definitions[self._method_name(rpc, "Request")].get("required"))

    def _name_by_method(self, rpcs: Sequence[Rpc[Any, Any]]) -> set[str]:
        made: dict[str, Schema] = {}
        for rpc in rpcs:
            olds = {self._method_name(rpc, "Request"): self._named[rpc.request, "validation"]}
            if rpc not in self._streams:
                olds[self._response_name(rpc)] = self._named[rpc.response, "serialization"]
            made |= {name: {**self.definitions[old], "title": name} for name, old in olds.items()}
        self.definitions |= made
        return set(made)

    def _response_name(self, rpc: Rpc[Any, Any]) -> str:
        noun = self._named[rpc.response, "serialization"]
        return self._method_name(rpc, "Response") if noun.endswith("Response") else noun

    def _method_name(self, rpc: Rpc[Any, Any], suffix: str) -> str:
        alone = self._shared_names[rpc.name] == 1
        prefix = "" if alone else rpc.component.name.removesuffix("Gateway")
        return f"{prefix}{rpc.name}{suffix}"


def _plain(name: str, others: Collection[str]) -> str:
    """The name without what sets it apart from messages that the outside does not see."""
    plain = name.removesuffix("-Output").replace("-Input", "Input")
    bare = plain.removeprefix("Public")
    return plain if bare in others else bare


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    """The schema with its references and its title following the new names."""
    if isinstance(schema, list):
        return [_renamed(each, names) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    changed: Schema = {}
    for key, value in cast("Schema", schema).items():
        if key == "$ref":
            changed[key] = REF + names[value.removeprefix(REF)]
        elif key != "title" or not isinstance(value, str):
            changed[key] = _renamed(value, names)
    return changed


def _referenced(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for each in cast("list[Any]", schema) for name in _referenced(each)}
    if not isinstance(schema, dict):
        return set()
    found: set[str] = set()
    for key, value in cast("Schema", schema).items():
        found |= {value.removeprefix(REF)} if key == "$ref" else _referenced(value)
    return found


_FIELD = re.compile(r"^(?P<names>[a-z][a-z0-9_]*(?:, [a-z][a-z0-9_]*)*): (?P<text>.*)$")


def _described(schema: Schema) -> Schema:
    """The schema with the lines `field: what it means` of its docstring moved to the fields."""
    kept: list[str] = []
    fields: dict[str, str] = {}
    current: list[str] = []
    for line in str(schema.get("description", "")).splitlines():
        match = _FIELD.match(line)
        if match:
            current = [_camel(name) for name in match["names"].split(", ")]
            fields |= dict.fromkeys(current, match["text"])
        elif current and line.strip():
            fields |= {name: f"{fields[name]} {line.strip()}" for name in current}
        else:
            current = []
            kept.append(line)
    properties: dict[str, Schema] = schema.get("properties", {})
    if not fields or not set(fields) <= set(properties):
        return schema
    described = {
        name: {**shown, "description": fields[name]} if name in fields else shown
        for name, shown in properties.items()
    }
    return {**schema, "description": "\n".join(kept).strip(), "properties": described}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
