"""Joining live text from pieces that overlap, repeat, and come late."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.conversation.contract.entry import RUN_COMPLETED, Event
from edge.live_text import LiveText

RUN = "run_1"


def delta(offset: int, text: str, attempt: int = 1) -> dict[str, Any]:
    """A piece of the run's text."""
    return {
        "runId": RUN,
        "messageId": "msg_1",
        "attempt": attempt,
        "offset": offset,
        "text": text,
    }


def said(live: LiveText, *deltas: dict[str, Any]) -> list[tuple[int, str]]:
    """Offset and text of what a reader is sent."""
    joined = [live.join(each) for each in deltas]
    return [(fresh["offset"], fresh["text"]) for fresh in joined if fresh is not None]


@given(
    st.text(min_size=1),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60))),
)
def test_a_reader_gets_every_code_point_once_and_in_order(
    text: str, pieces: list[tuple[int, int]]
) -> None:
    live = LiveText()
    sent = [delta(start, text[start : start + length]) for start, length in pieces]
    got = ""
    for offset, fresh in said(live, *sent, delta(0, text)):
        assert offset == len(got)
        got += fresh
    assert got == text


def test_a_new_attempt_begins_anew_and_the_old_one_is_over() -> None:
    live = LiveText()
    assert said(live, delta(0, "void"), delta(0, "again", 2), delta(4, " late")) == [
        (0, "void"),
        (0, "again"),
    ]


def test_nothing_of_a_run_that_has_ended_is_sent() -> None:
    live = LiveText()
    live.see(Event(type=RUN_COMPLETED, run_id=RUN))
    assert said(live, delta(0, "late")) == []
    assert not live.asks_for_text_before(delta(9, "later"))


def test_missing_text_is_asked_for_once_until_it_came() -> None:
    live = LiveText()
    assert said(live, delta(0, "ab")) == [(0, "ab")]
    assert [live.asks_for_text_before(delta(at, "x")) for at in (4, 5, 6)] == [True, False, False]
    assert said(live, delta(4, "ef")) == []
    assert said(live, delta(0, "abcdef")) == [(2, "cdef")]
    assert live.asks_for_text_before(delta(9, "x"))
