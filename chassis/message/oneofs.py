"""oneof: at most one of several fields may be set, as in protobuf.

    class Part(Message):
        content = oneof("text", "image", required=True)
        text: str | None = None
        image: Image | None = None

It is declared like this; `part.content` is the name of the field that is set, or None.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, overload

from pydantic import BaseModel

from chassis.message.shape import json_name, messages_in
from chassis.message.violations import Problem, violation


class Oneof:
    """The declaration; as an attribute of a message it names the field that is set."""

    __slots__ = ("fields", "name", "required")

    def __init__(self, fields: tuple[str, ...], *, required: bool) -> None:
        self.fields = fields
        self.required = required
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Oneof": ...
    @overload
    def __get__(self, instance: object, owner: type) -> str | None: ...
    def __get__(self, instance: object | None, owner: type) -> "Oneof | str | None":
        if instance is None:
            return self
        return next((f for f in self.fields if getattr(instance, f) is not None), None)

    def sentence(self, set_fields: int) -> str:
        """What is wrong with that many of the fields being set."""
        names = ", ".join(json_name(field) for field in self.fields)
        return f"must have {'at most ' if set_fields else ''}one of {names}"


def oneof(*fields: str, required: bool = False) -> Oneof:
    """At most one of `fields` may be set; with `required`, exactly one.

    The fields must be declared `X | None = None`: whether one is set is whether it is not None.
    """
    return Oneof(fields, required=required)


@cache
def oneofs_of(message: type[BaseModel]) -> tuple[Oneof, ...]:
    """The oneofs that a message declares, with its bases'."""
    found: dict[str, Oneof] = {}
    for base in reversed(message.__mro__):
        found.update({k: v for k, v in vars(base).items() if isinstance(v, Oneof)})
    return tuple(found.values())


def broken_oneofs(data: Any, message: type[BaseModel]) -> Iterator[Problem]:
    """The problems of all oneofs in `data`, which may be wrong in other ways.

    The validator does not look at the oneofs of a message that has a wrong field.
    """
    for loc, inside, given in messages_in(data, message, ()):
        for one in oneofs_of(inside):
            spelled = [{field, json_name(field)} for field in one.fields]
            set_fields = sum(not names.isdisjoint(given) for names in spelled)
            if set_fields > 1 or (one.required and not set_fields):
                yield Problem(loc, one.sentence(set_fields))


def checker(oneofs: tuple[Oneof, ...]) -> Any:
    """A validator over what pydantic's model-fields schema yields: (values, extra, set)."""

    def check(result: tuple[dict[str, Any], Any, Any]) -> Any:
        values = result[0]
        for one in oneofs:
            set_fields = 0
            for field in one.fields:
                if values[field] is not None:
                    set_fields += 1
            if set_fields > 1 or (one.required and not set_fields):
                raise violation(one.sentence(set_fields))
        return result

    return check
