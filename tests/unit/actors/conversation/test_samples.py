"""Records that were stored by this and every older version."""

import json
from pathlib import Path

from actors.conversation import state
from actors.conversation.contract.run import Run
from actors.conversation.contract.tools import Approval
from chassis.message import Message
from tests.support.samples import every_sample, lost, read, shown, with_news

each = every_sample(
    __file__,
    head=state.Head,
    page=state.Page,
    run=Run,
    content=state.Content,
    sent=state.Sent,
    approval=Approval,
    result=state.StoredResult,
    place=state.Place,
    piece=state.Piece,
    branch=state.BranchRecord,
    tip=state.Tip,
    summary=state.Summary,
    compactions=state.CompactionHistory,
)


@each
def test_a_stored_record_keeps_every_field(sample: Path, record: type[Message]) -> None:
    assert lost(shown(sample), json.loads(read(sample, record).to_json())) == []


@each
def test_a_record_of_a_newer_version_is_read_as_far_as_it_is_known(
    sample: Path, record: type[Message]
) -> None:
    newer = json.dumps(with_news(shown(sample))).encode()
    assert lost(shown(sample), json.loads(record.from_json(newer).to_json())) == []
