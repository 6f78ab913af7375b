"""What a failed call becomes: what a client may conclude about the work, and when to try again."""

import json

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from actors.conversation.contract import QUEUE_FULL, RUN_NOT_FOUND, THREAD_BUSY, THREAD_DELETING
from edge.ingress import Answer
from edge.responses import error_response
from edge.translate import failure_of
from errors import Code, Outcome, RpcError, wire


def told(error: RpcError) -> Outcome:
    """The outcome that a client is told of a handler's error."""
    failure = {"message": error.message, "metadata": wire.to_metadata(error)}
    headers = CIMultiDictProxy(CIMultiDict[str]())
    answer = Answer(error.code.http_status, headers, json.dumps(failure).encode(), first_try=True)
    failed = failure_of(answer, None)
    assert failed.error == error
    return failed.outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RUN_NOT_FOUND.error(), Outcome.NOT_STARTED),
        (RUN_NOT_FOUND.error(outcome=Outcome.COMPLETED), Outcome.COMPLETED),
        (THREAD_BUSY.error(), Outcome.NOT_STARTED),
        (THREAD_DELETING.error(), Outcome.NOT_STARTED),
        (RpcError(Code.ABORTED, "some.aborted", "Aborted."), Outcome.UNKNOWN),
    ],
)
def test_the_raiser_knows_best_whether_the_work_was_done(error: RpcError, outcome: Outcome) -> None:
    assert told(error) is outcome


def test_where_a_later_try_helps_a_429_says_when() -> None:
    waits = error_response(QUEUE_FULL.error(), "req_1")
    assert (waits.status, dict(waits.headers)[b"retry-after"]) == (429, b"2")
    spent = RpcError(Code.QUOTA_EXCEEDED, "budget.spent", "Spent.", is_terminal=True)
    assert list(error_response(spent, "req_1").headers) == []
