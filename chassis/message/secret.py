"""Secret: text that a client sends and that never enters Restate as it came.

The edge seals each secret of a request before it forwards it (`chassis/sealing.py`), so what a
handler finds in the field is the sealed form, which only the owner of the vendor opens. A field
of this type is therefore never part of an answer.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo
from pydantic.fields import FieldInfo

from chassis.message.reading import Reading
from chassis.message.violations import violation

LONGEST_SECRET = 4096
"""Characters that a client may send. The sealed form is longer, so it is held to no limit."""


class Secretive:
    """The mark by which fields that hold secrets are found."""


def _within_limits(value: str, info: ValidationInfo) -> str:
    if info.context is not Reading.PUBLIC:
        return value  # sealed
    if len(value) > LONGEST_SECRET:
        raise violation(f"must have at most {LONGEST_SECRET} characters")
    if not (value.isascii() and value.isprintable()):
        raise violation("must be printable ASCII")
    return value


Secret = Annotated[
    str,
    Field(json_schema_extra={"format": "password", "writeOnly": True}),
    AfterValidator(_within_limits),
    Secretive(),
]


def holds_secrets(kind: Any, _seen: frozenset[Any] = frozenset()) -> bool:
    """Whether a message, or anything in it, has a field that holds secrets."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or kind in _seen:
        return False
    return any(
        _marked(info.metadata) or any(_found_in(each, _seen | {kind}) for each in _inside(info))
        for info in kind.model_fields.values()
    )


def with_secrets(message: BaseModel, change: Callable[[str], str]) -> None:
    """Replace every secret in `message` that is not empty."""
    for name, info in type(message).model_fields.items():
        value = getattr(message, name)
        if value and _marked(info.metadata):
            setattr(message, name, change(value))
        elif value:
            _change_inside(value, change, any(map(_marked_type, _inside(info))))


def _change_inside(value: Any, change: Callable[[str], str], secret: bool) -> None:
    """Secrets in the list, map or message that a field holds."""
    if isinstance(value, BaseModel):
        with_secrets(value, change)
        return
    if isinstance(value, list):
        items = list(enumerate(cast("list[Any]", value)))
    elif isinstance(value, dict):
        items = list(cast("dict[Any, Any]", value).items())
    else:
        return
    for place, item in items:
        if secret:
            value[place] = change(item)
        else:
            _change_inside(item, change, False)


def _inside(info: FieldInfo) -> tuple[Any, ...]:
    """The types that a field's own type is made of: what a list or map holds, too."""
    return tuple(_parts(info.annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not Annotated:
        for part in get_args(annotation):
            yield from _parts(part)


def _found_in(annotation: Any, seen: frozenset[Any]) -> bool:
    return _marked_type(annotation) or holds_secrets(annotation, seen)


def _marked_type(annotation: Any) -> bool:
    return _marked(getattr(annotation, "__metadata__", ()))


def _marked(marks: Iterable[Any]) -> bool:
    return any(isinstance(mark, Secretive) for mark in marks)
