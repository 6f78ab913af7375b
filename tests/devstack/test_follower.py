"""A follower hears a run's answer once and whole, through broken connections and new attempts."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from devstack.client import AwayError, Client, Event
from devstack.follower import Follower, Said, Settled, Update
from errors import Code, Reason, RpcError

GONE = Reason("thread.not_found", Code.NOT_FOUND, "Gone.")


class Streams:
    """Stands for a Client: each connection yields the next list, or raises what ends it."""

    def __init__(self, *connections: list[Event | Exception]) -> None:
        self._connections = list(connections)
        self.asked_after: list[int] = []

    def events(self, conversation_key: str, after: int) -> Iterator[Event]:
        assert conversation_key == "k"
        self.asked_after.append(after)
        for event in self._connections.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


def follower(streams: Streams) -> Follower:
    return Follower(cast("Client", streams), "k", "r", after=3)


def heard(streams: Streams) -> list[Update]:
    return list(follower(streams))


def delta(offset: int, text: str, attempt: int = 1) -> Event:
    body = {"runId": "r", "attempt": attempt, "offset": offset, "text": text}
    return Event("message.delta", 0, body)


def fact(kind: str, sequence: int, **more: Any) -> Event:
    return Event(kind, sequence, {"runId": "r", **more})


def completed(sequence: int, text: str) -> Event:
    return fact("message.completed", sequence, message={"content": text})


def words(updates: list[Update]) -> list[str]:
    """Updates as text, without the end."""
    return [
        each.text if isinstance(each, Said) else type(each).__name__.upper()
        for each in updates
        if not isinstance(each, Settled)
    ]


END = fact("run.completed", 9)


def test_text_that_comes_twice_is_heard_once() -> None:
    stream = [delta(0, "one "), delta(0, "one two "), delta(4, "two "), completed(8, "one two 3")]
    updates = heard(Streams([*stream, END]))
    assert words(updates) == ["one ", "two ", "3"]
    assert updates[-1] == Settled("completed", END.body)


def test_a_broken_connection_goes_on_after_the_last_event() -> None:
    streams = Streams(
        [fact("run.started", 5), delta(0, "one "), AwayError("x")],
        [delta(0, "one two"), completed(8, "one two"), END],
    )
    assert words(heard(streams)) == ["one ", "two"]
    assert streams.asked_after == [3, 5]


def test_a_connection_that_stays_away_is_told_once() -> None:
    away: list[Event | Exception] = [AwayError("x")]
    streams = Streams(away, away, away, [completed(8, "all"), END])
    assert words(heard(streams)) == ["LOST", "all"]


@pytest.mark.parametrize("early", [True, False])
def test_a_new_attempt_is_told_once_whichever_sign_of_it_comes_first(early: bool) -> None:
    signs = [delta(0, "two", attempt=2), fact("run.retrying", 6, attempt=2)]
    signs = signs if early else signs[::-1]
    stream = [delta(0, "one"), *signs, delta(1, "late"), completed(8, "two!"), END]
    assert words(heard(Streams([*stream]))) == ["one", "ANEW", "two", "!"]


def test_a_completed_message_that_differs_replaces_what_was_heard() -> None:
    assert words(heard(Streams([delta(0, "half"), completed(8, "whole"), END]))) == [
        "half", "ANEW", "whole",
    ]  # fmt: skip


def test_other_runs_of_the_thread_are_not_heard() -> None:
    other = Event("message.delta", 0, {"runId": "x", "attempt": 1, "offset": 0, "text": "no"})
    ends = Event("run.completed", 7, {"runId": "x"})
    assert words(heard(Streams([other, ends, completed(8, "yes"), END]))) == ["yes"]


def test_an_interrupted_follower_goes_on_where_it_was() -> None:
    streams = Streams(
        [fact("run.started", 5), delta(0, "one ")],
        [delta(0, "one two"), completed(8, "one two"), END],
    )
    run = follower(streams)
    for update in run:
        assert update == Said("one ")
        break
    assert words(list(run)) == ["two"]
    assert streams.asked_after == [3, 5]


def test_a_refusal_that_is_final_ends_the_following() -> None:
    with pytest.raises(RpcError):
        heard(Streams([GONE.error()]))


def test_an_error_event_that_is_final_ends_the_following() -> None:
    error = {"code": "NOT_FOUND", "message": "m", "isTerminal": True, "details": {"reason": "a.b"}}
    with pytest.raises(RpcError):
        heard(Streams([Event("error", 0, {"error": error})]))


def test_what_is_said_after_tools_is_no_new_start() -> None:
    asked = {"content": "Let me see.", "toolCalls": [{"callId": "1"}]}
    call = {"callId": "1", "status": "SUCCEEDED"}
    streams = Streams(
        [
            delta(0, "Let me see."),
            fact("message.completed", 4, message=asked),
            fact("tool.requested", 5, toolCall={"callId": "1"}),
            fact("tool.approval_required", 6, approval={"approvalId": "a"}),
            fact("tool.completed", 7, toolCall=call),
            delta(0, "Done.", attempt=2),
            completed(8, "Done."),
            fact("run.completed", 9),
        ]
    )
    assert words(heard(streams)) == [
        "Let me see.",
        "TOOLUSED",
        "APPROVALNEEDED",
        "TOOLUSED",
        "Done.",
    ]
