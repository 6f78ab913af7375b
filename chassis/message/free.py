"""Struct, Value and ListValue: JSON without a shape of ours.

Inside them `null` is a value, numbers keep the precision in which they came, and nothing is
renamed. A `Value` field that is `null` itself cannot be told from an absent one.
"""

from typing import Any

Struct = dict[str, Any]
Value = Any
ListValue = list[Any]
