"""The examples of all gateways, for OpenAPI."""

from typing import Any

from chassis.rpc import Example, Rpc
from gateways.auth import examples as auth
from gateways.llm import examples as llm

EXAMPLES: dict[Rpc[Any, Any], Example] = {**llm.EXAMPLES, **auth.EXAMPLES}
