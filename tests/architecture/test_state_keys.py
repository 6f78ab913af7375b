"""Restate sends keys in byte order, up to a limit: what every call reads comes first."""

from types import ModuleType

import pytest

import actors.conversation.state
import actors.conversation_manager.state
import services.api_key.state
from chassis.state import StateKey


@pytest.mark.parametrize(
    "state",
    [actors.conversation.state, actors.conversation_manager.state, services.api_key.state],
    ids=lambda module: module.__name__,
)
def test_the_head_sorts_before_what_grows(state: ModuleType) -> None:
    names = [each.name for each in vars(state).values() if isinstance(each, StateKey)]
    # An api key's grant is the state of an object of its own.
    grown = [name for name in names if name not in ("head", "grant")]
    assert grown
    assert min(grown) > "head"
