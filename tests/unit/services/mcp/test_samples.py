"""Registrations that were stored by this and every older version."""

import json
from pathlib import Path

from chassis.message import Message
from services.mcp import state
from tests.support.samples import every_sample, lost, read, shown

each = every_sample(__file__, servers=state.Servers)


@each
def test_a_stored_record_keeps_every_field(sample: Path, record: type[Message]) -> None:
    assert lost(shown(sample), json.loads(read(sample, record).to_json())) == []
