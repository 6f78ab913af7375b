"""Messages: typed requests, answers and records that are protojson on the wire.

    class CreateThreadRequest(Message):
        conversation_key: str = Field(default="", max_length=256)
        metadata: dict[str, str] = {}
        ttl: Duration | None = None

    request = CreateThreadRequest.from_public_json(body)   # strict, all violations at once
    record = Thread.from_json(stored)                      # what we wrote ourselves
    answer.to_json()

Docstrings of a class and of its fields are what the public reads. The parts:

    Message                         read and write (base.py)
    Int32 UInt32 Int64 UInt64       numbers.py
    Float Double                    numbers.py
    Bytes                           binary.py
    Timestamp Duration              times.py
    Struct Value ListValue          free.py
    ProtoEnum                       enums.py
    Secret                          secret.py
    Url                             urls.py
    oneof                           oneofs.py
    Always                          marks a field that is shown even when it holds its default
    violation                       what a validator of a field raises, with a sentence of ours
    REQUEST_INVALID, REQUEST_MALFORMED   the reasons of a refused body

How it works: `wire_schema.py` rewrites the core schema of each message once, when its class is
made, so that pydantic-core reads and writes protojson by itself; `reading.py` decides what is
JSON; `violations.py` puts every failure into our words; `schema.py` shows the wire form.

The oracle is Google's `json_format`. On purpose we differ from it in this:

- Lists are always shown, and so are required fields and fields whose default is not protobuf's.
- Public text is held to stricter rules: no duplicate keys (both spellings of one field are one
  key twice), no NUL, at most 64 levels and numbers of 1,000 digits.
- Text that stands for a number follows JSON's grammar (no `+1`, `01`, ` 1` or `1_0`, and nothing
  that its type cannot hold), base64 has no foreign characters, timestamps are complete RFC 3339,
  a bool is no number, `[]` and `""` are no empty message.
- Enums are closed at the public boundary. Inside, an unknown member is read as the zero member.
- Times count microseconds, not nanoseconds. `Float` is checked for its range, not rounded.
- A `Value` field that is `null` cannot be told from an absent one. Numbers in free JSON keep
  the precision in which they came.
- NaN and the infinities are refused by a float that has limits.
"""

from chassis.message.base import Message
from chassis.message.binary import Bytes
from chassis.message.enums import ProtoEnum
from chassis.message.free import ListValue, Struct, Value
from chassis.message.numbers import Double, Float, Int32, Int64, UInt32, UInt64
from chassis.message.oneofs import oneof
from chassis.message.secret import Secret
from chassis.message.times import Duration, Timestamp
from chassis.message.urls import Url
from chassis.message.violations import REQUEST_INVALID, REQUEST_MALFORMED, violation
from chassis.message.wire_schema import Always

__all__ = [
    "REQUEST_INVALID",
    "REQUEST_MALFORMED",
    "Always",
    "Bytes",
    "Double",
    "Duration",
    "Float",
    "Int32",
    "Int64",
    "ListValue",
    "Message",
    "ProtoEnum",
    "Secret",
    "Struct",
    "Timestamp",
    "UInt32",
    "UInt64",
    "Url",
    "Value",
    "oneof",
    "violation",
]
