"""How settings of different width combine, field by field."""

from collections.abc import Iterable
from typing import TypeVar

from chassis.message import Message

M = TypeVar("M", bound=Message)


def merged(kind: type[M], wide: M | None, narrow: M | None) -> M:
    """The narrower message over the wider one; fields that are not set leave the wider."""
    return kind.model_validate({**_set_fields(wide), **_set_fields(narrow)})


def without(message: M, names: Iterable[str]) -> M:
    """The message with these fields as if they had never been set."""
    gone = set(names)
    kept = {name: value for name, value in _set_fields(message).items() if name not in gone}
    return type(message).model_validate(kept)


def _set_fields(message: Message | None) -> dict[str, object]:
    if message is None:
        return {}
    fields = type(message).model_fields
    values = {name: (getattr(message, name), field) for name, field in fields.items()}
    return {
        name: value
        for name, (value, field) in values.items()
        if value != field.get_default(call_default_factory=True)
    }
