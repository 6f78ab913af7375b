"""oneof: at most one of several fields may be set, as in protobuf.

class Part(Message):
    content = oneof("text", "image", required=True)
    text: str | None = None
    image: Image | None = None

`part.content` is the name of the field that is set, or None.
"""

from typing import Any, overload

from chassis.message.shape import json_name
from chassis.message.violations import violation


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

    def sentence(self, set_fields: int) -> str | None:
        """What is wrong when that many of the fields are set; None when nothing is."""
        names = ", ".join(json_name(field) for field in self.fields)
        if set_fields > 1:
            return f"must have at most one of {names}"
        if set_fields == 0 and self.required:
            return f"must have one of {names}"
        return None


def oneof(*fields: str, required: bool = False) -> Oneof:
    """At most one of `fields` may be set; with `required`, exactly one.

    The fields must be declared `X | None = None`: whether one is set is whether it is not None.
    """
    return Oneof(fields, required=required)


def checker(oneofs: tuple[Oneof, ...]) -> Any:
    """A validator over what pydantic's model-fields schema yields: (values, extra, set)."""

    def check(result: tuple[dict[str, Any], Any, Any]) -> Any:
        values = result[0]
        for one in oneofs:
            sentence = one.sentence(sum(values[field] is not None for field in one.fields))
            if sentence is not None:
                raise violation(sentence)
        return result

    return check
