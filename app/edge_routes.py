"""The routes that the edge answers itself, and what answers them.

Apart from the edge's server, so that the registry can check and describe them without running one.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from chassis.rpc import Rpc
from edge.events import EventReader
from edge.local import EdgeHandler
from gateways.llm import contract as llm

SERVED_BY_EDGE = {
    llm.pull_events: EventReader.pull,
    llm.stream_events: EventReader.stream,
}


def handlers(reader: EventReader) -> Mapping[Rpc[Any, Any], EdgeHandler]:
    """The handlers of those routes."""
    return {rpc: partial(method, reader) for rpc, method in SERVED_BY_EDGE.items()}
