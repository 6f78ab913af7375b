"""How settings of different width combine, field by field."""

from collections.abc import Iterable
from typing import TypeVar, cast

from pydantic import ValidationError

from actors.conversation.contract.thread import ResponseFormat
from chassis.message import Message
from chassis.message.violations import from_pydantic, invalid

M = TypeVar("M", bound=Message)


def merged(kind: type[M], wide: M | None, narrow: M | None) -> M:
    """The narrower message over the wider one; fields that are not set leave the wider."""
    return kind.model_validate({**_set_fields(wide), **_set_fields(narrow)})


def updated(kept: M, request: Message, field: str) -> M:
    """What was kept with the changes in this field of a request, groups field by field, too; lists
    are replaced. A response format is one thing: its schema belongs to its type.

    :raises RpcError: request.invalid where each is valid and both together are not
    """
    changed = _set_fields(getattr(request, field))
    for name, value in changed.items():
        before = getattr(kept, name)
        if isinstance(before, Message) and not isinstance(before, ResponseFormat):
            changed[name] = merged(type(before), before, cast("Message", value))
    try:
        return type(kept).model_validate({**_set_fields(kept), **changed})
    except ValidationError as error:
        found = from_pydantic(type(kept), error.errors(include_url=False, include_input=False))
        problems = [problem._replace(loc=(field, *problem.loc)) for problem in found]
        raise invalid(type(request), problems) from None


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
