"""Messages: typed requests, answers and records that are protojson on the wire.

class CreateThreadRequest(Message):
    name: str = ""
    metadata: dict[str, str] = {}
    ttl: Duration | None = None

Message                         read and write; see base.py
Int32 UInt32 Int64 UInt64       numbers.py
Float Double                    numbers.py
Bytes                           binary.py
Timestamp Duration              times.py
Struct Value ListValue          free.py
ProtoEnum                       enums.py
oneof                           oneofs.py
Always                          marks a field that is shown even when it holds its default
violation                       what a validator of a field raises, with a sentence of ours
REQUEST_INVALID, REQUEST_MALFORMED   the reasons of a refused body
"""

from chassis.message.base import Message
from chassis.message.binary import Bytes
from chassis.message.enums import ProtoEnum
from chassis.message.free import ListValue, Struct, Value
from chassis.message.numbers import Double, Float, Int32, Int64, UInt32, UInt64
from chassis.message.oneofs import oneof
from chassis.message.times import Duration, Timestamp
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
    "Struct",
    "Timestamp",
    "UInt32",
    "UInt64",
    "Value",
    "oneof",
    "violation",
]
