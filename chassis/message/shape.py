"""The shape of a message as a reader of raw JSON needs it: names, and where messages nest.

Pydantic keeps this inside its core schema, where it cannot be asked. It is used beside the
validator: to drop `null`, to write paths, and to know whether free JSON can occur at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel

Loc = tuple[str | int, ...]
"""A place in JSON data: keys as sent, and indexes."""


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: both spellings, and the message inside (of the field, its items or values)."""

    name: str
    json_name: str
    message: type[BaseModel] | None
    repeated: bool
    keyed: bool

    def nested(self, value: Any) -> Iterator[tuple[Loc, Any]]:
        """The values in which the message is looked for, each with the steps to it."""
        if self.repeated and isinstance(value, list):
            for index, item in enumerate(cast(list[Any], value)):
                yield (index,), item
        elif self.keyed and isinstance(value, dict):
            for key, item in cast(dict[str, Any], value).items():
                yield (key,), item
        elif not self.repeated and not self.keyed:
            yield (), value


@dataclass(frozen=True, slots=True)
class Shape:
    """All fields of a message, found under either spelling."""

    fields: Mapping[str, FieldShape]
    holds_free_json: bool


def json_name(name: str) -> str:
    """The lowerCamelCase spelling that protobuf gives: `page_2_token` is `page2Token`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


_shapes: dict[type[BaseModel], Shape] = {}


def shape_of(message: type[BaseModel]) -> Shape:
    """The shape of `message`, built when first asked for, because types may nest in a ring."""
    shape = _shapes.get(message)
    if shape is None:
        if not message.__pydantic_complete__:
            message.model_rebuild()
        fields = [_field_shape(n, f.annotation) for n, f in message.model_fields.items()]
        by_name = {field.name: field for field in fields}
        by_name.update({field.json_name: field for field in fields})
        shape = Shape(by_name, _reaches_free_json(message, set()))
        _shapes[message] = shape
    return shape


def _field_shape(name: str, annotation: Any) -> FieldShape:
    inner = _bare(annotation)
    repeated, keyed = get_origin(inner) is list, get_origin(inner) is dict
    if repeated or keyed:
        inner = _bare(get_args(inner)[-1])
    return FieldShape(name, json_name(name), _message_or_none(inner), repeated, keyed)


def _message_or_none(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _bare(annotation: Any) -> Any:
    """The type under `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            some = [arg for arg in get_args(annotation) if arg is not type(None)]
            if len(some) != 1:
                return annotation
            annotation = some[0]
        else:
            return annotation


def _reaches_free_json(annotation: Any, seen: set[Any]) -> bool:
    if annotation is Any:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return False
        seen.add(annotation)
        types = [field.annotation for field in annotation.model_fields.values()]
        return any(_reaches_free_json(one, seen) for one in types)
    return any(_reaches_free_json(argument, seen) for argument in get_args(annotation))


def messages_in(
    data: Any, message: type[BaseModel], loc: Loc
) -> Iterator[tuple[Loc, type[BaseModel], dict[str, Any]]]:
    """Each object in `data` that stands for a message, with its place; the outermost first."""
    if not isinstance(data, dict):
        return
    given = cast(dict[str, Any], data)
    yield loc, message, given
    fields = shape_of(message).fields
    for key, value in given.items():
        field = fields.get(key)
        if field is not None and field.message is not None:
            for step, inner in field.nested(value):
                yield from messages_in(inner, field.message, (*loc, key, *step))


def drop_nulls(data: Any, message: type[BaseModel]) -> None:
    """Takes the fields that are `null` out of `data`: on the wire that means absent.

    Free JSON keeps its nulls, and so do unknown fields and fields given in both spellings,
    which are refused later. Items and map values stay too: `null` is no item.
    """
    for _, inside, given in messages_in(data, message, ()):
        fields = shape_of(inside).fields
        for key in [key for key, value in given.items() if value is None and key in fields]:
            field = fields[key]
            if field.name == field.json_name or not {field.name, field.json_name} <= given.keys():
                del given[key]
