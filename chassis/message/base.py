"""Message: the base of every request, response and stored record."""

from itertools import chain
from typing import Any, ClassVar, Self, Unpack

import jiter
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, ValidationError

from chassis.message.oneofs import Oneof, broken_oneofs
from chassis.message.reading import Reading, read_public, read_tolerant
from chassis.message.schema import as_wire
from chassis.message.shape import drop_nulls, shape_of
from chassis.message.violations import Problem, from_pydantic, invalid
from chassis.message.wire_schema import speak_protojson


class Message(BaseModel):
    """A message with proto field names in Python and protojson on the wire.

    Declare scalars with protobuf's zero as their default (`name: str = ""`), lists and maps with
    an empty one, messages as `X | None = None`. A field without a default is required and always
    shown; so is a field whose default is not protobuf's. `X | None = None` on a scalar is a field
    with presence: shown unless None.

    A subclass with `proto_names=True` writes proto names instead of lowerCamelCase. Both
    spellings are always read.
    """

    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        ser_json_inf_nan="strings",
        use_attribute_docstrings=True,
        ignored_types=(Oneof,),
    )
    __proto_names__: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, proto_names: bool | None = None, **kwargs: Unpack[ConfigDict]
    ) -> None:
        super().__init_subclass__(**kwargs)
        if proto_names is not None:
            cls.__proto_names__ = proto_names

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        speak_protojson(cls, handler.resolve_ref_schema(schema), proto_names=cls.__proto_names__)
        return schema

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = handler(core_schema)
        as_wire(cls, handler.resolve_ref_schema(shown), handler.mode, cls.__proto_names__)
        return shown

    @classmethod
    def from_public_json(cls, raw: bytes) -> Self:
        """The message in a client's body; an empty body means `{}`.

        Raises RpcError: `request.malformed` when the body cannot be read as JSON, or
        `request.invalid` with all violations at once, unknown fields among them.
        """
        free_json = shape_of(cls).holds_free_json
        data, problems = read_public(raw or b"{}", free_json=free_json)
        return cls._validated(raw, data, Reading.PUBLIC, problems)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """The message in bytes of our own making; unknown fields and enum members are no error.

        Raises RpcError as `from_public_json` does.
        """
        return cls._validated(raw, read_tolerant(raw or b"{}"), Reading.TOLERANT, [])

    @classmethod
    def _validated(cls, raw: bytes, data: Any, reading: Reading, problems: list[Problem]) -> Self:
        if b"null" in raw:
            drop_nulls(data, cls)
        extra = "forbid" if reading is Reading.PUBLIC else "ignore"
        try:
            message = cls.__pydantic_validator__.validate_python(data, extra=extra, context=reading)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            every = chain(problems, from_pydantic(cls, found), broken_oneofs(data, cls))
            raise invalid(cls, every) from None
        if problems:
            raise invalid(cls, problems)
        return message

    def to_json(self) -> bytes:
        """The message as protojson."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)

    def to_dict(self) -> dict[str, Any]:
        """The message as `json.loads` would read what `to_json` writes."""
        return jiter.from_json(self.to_json())
