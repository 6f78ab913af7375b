"""ProtoEnum: an enum whose members are their names on the wire and numbers in the contract.

    class RunStatus(ProtoEnum):
        RUN_STATUS_UNSPECIFIED = 0
        QUEUED = 1
        RUNNING = 2

A member is a `str` equal to its name; `RunStatus.RUNNING.number` is 2. The zero member is named
`<ENUM>_UNSPECIFIED`, stands for an absent field, and is never sent. Two names of one number are
one member: the first is written, both are read.
"""

import re
from enum import EnumMeta, StrEnum
from inspect import cleandoc
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from chassis.message.leaf import shown_as
from chassis.message.reading import Reading
from chassis.message.violations import violation


class _Numbered(str):
    """The value of a member while its class is made: the name, carrying the number."""

    number: int

    def __new__(cls, name: str, number: int) -> Self:
        value = super().__new__(cls, name)
        value.number = number
        return value


class _ProtoEnumMeta(EnumMeta):
    """Turns `RUNNING = 2` into a member that is the text RUNNING and has the number 2."""

    def __new__(
        metacls, name: str, bases: tuple[type, ...], namespace: Any, **kwargs: Any
    ) -> "_ProtoEnumMeta":
        first_names: dict[int, str] = {}
        for member in namespace._member_names:
            number = namespace[member]
            if type(number) is not int:
                raise TypeError(f"{name}.{member} must be a number")
            first = first_names.setdefault(number, member)
            # _EnumDict refuses a second assignment of a member; the plain one does not.
            dict[str, Any].__setitem__(namespace, member, _Numbered(first, number))
        if first_names:
            _check_zero(name, first_names)
        return super().__new__(metacls, name, bases, namespace, **kwargs)


def _check_zero(name: str, names: dict[int, str]) -> None:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()
    if names.get(0) != f"{snake}_UNSPECIFIED":
        raise TypeError(f"{name} must have the member {snake}_UNSPECIFIED = 0")


class ProtoEnum(StrEnum, metaclass=_ProtoEnumMeta):
    """Base of all enums in contracts. Members are declared as numbers; zero is required."""

    number: int

    def __new__(cls, value: Any) -> Self:
        member = str.__new__(cls, value)
        member._value_ = str(value)
        member.number = value.number
        return member

    @classmethod
    def from_number(cls, number: int) -> Self | None:
        """The member with that number, if there is one."""
        return next((member for member in cls if member.number == number), None)

    @classmethod
    def unspecified(cls) -> Self:
        """The zero member."""
        return next(member for member in cls if member.number == 0)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        shown: dict[str, Any] = {
            "title": cls.__name__,
            "type": "string",
            "enum": [member.name for member in cls if member.number != 0],
        }
        if own_doc := vars(cls).get("__doc__"):
            shown["description"] = cleandoc(own_doc)
        return core_schema.with_info_plain_validator_function(
            _reader_of(cls),
            serialization=core_schema.simple_ser_schema("str"),
            # A reference, so that JSON Schema defines the enum once, by its name.
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
            metadata=shown_as(shown),
        )


def _reader_of(enum: type[ProtoEnum]) -> Any:
    by_name: dict[str, ProtoEnum] = dict(enum.__members__)
    by_number = {member.number: member for member in enum}
    zero = enum.unspecified()
    names = ", ".join(member.name for member in enum if member.number != 0)
    sentence = f"must be one of {names}"

    def read(value: Any, info: ValidationInfo) -> ProtoEnum:
        member = by_name.get(value) if isinstance(value, str) else None
        if member is None:
            number = _number(value)
            member = None if number is None else by_number.get(number)
        if member is not None:
            return member
        # A newer version may have added a member; inside, that is no reason to fail.
        if info.context is Reading.TOLERANT and isinstance(value, str | int):
            return zero
        raise violation(sentence)

    return read


def _number(value: Any) -> int | None:
    """The number that `value` spells: 2, 2.0 or "2"; a bool is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None
