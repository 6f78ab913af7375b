"""However text arrives, a reader gets every code point of the newest attempt once, in order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.conversation.contract.entry import Event
from chassis.bus import DELTA
from edge.live_text import LiveText, SoFar

RUN = "run_1"

# Surrogate pairs in other languages are one code point here; offsets count code points.
texts = st.text("abé🫖", max_size=30)
pieces = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=40)


def delta(text: str, offset: int, attempt: int = 1, run: str = RUN) -> dict[str, Any]:
    """Live text as the bus brings it."""
    return {
        "runId": run,
        "messageId": "msg_1" if run == RUN else f"msg_of_{run}",
        "attempt": attempt,
        "offset": offset,
        "text": text,
    }


def shown(fresh: list[dict[str, Any]]) -> dict[int, str]:
    """What a client that appends, and starts anew with each attempt, has of each attempt."""
    seen: dict[int, str] = {}
    for piece in fresh:
        before = seen.get(piece["attempt"], "")
        assert piece["offset"] == len(before), "no overlap and no gap"
        assert piece["text"]
        seen[piece["attempt"]] = before + piece["text"]
    return seen


@given(text=texts, cuts=pieces)
def test_overlapping_and_repeated_pieces_are_joined_without_a_seam(
    text: str, cuts: list[tuple[int, int]]
) -> None:
    joining = LiveText()
    fresh: list[dict[str, Any]] = []
    have = 0
    for offset, length in cuts:
        piece = delta(text[offset : offset + length], offset)
        assert joining.has_gap_before(piece) == (offset > have)
        joined = joining.join(piece)
        if joined is not None:
            assert not offset > have
            fresh.append(joined)
            have = joined["offset"] + len(joined["text"])
    whole = delta(text, 0)  # the snapshot that fills every gap
    if (joined := joining.join(whole)) is not None:
        fresh.append(joined)
    assert shown(fresh).get(1, "") == text


@given(
    answers=st.lists(texts, min_size=1, max_size=4),
    cuts=st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 30), st.integers(0, 12)), max_size=60
    ),
)
def test_an_older_attempt_says_nothing_once_a_newer_one_spoke(
    answers: list[str], cuts: list[tuple[int, int, int]]
) -> None:
    joining = LiveText()
    fresh: list[dict[str, Any]] = []
    for attempt, offset, length in cuts:
        text = answers[min(attempt, len(answers)) - 1]
        joined = joining.join(delta(text[offset : offset + length], offset, attempt))
        if joined is not None:
            assert not fresh or joined["attempt"] >= fresh[-1]["attempt"]
            fresh.append(joined)
    for attempt, text in shown(fresh).items():
        assert answers[min(attempt, len(answers)) - 1].startswith(text)


@given(text=texts.filter(bool), lengths=st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_what_was_said_so_far_is_the_snapshot_and_all_that_followed(
    text: str, lengths: list[int]
) -> None:
    so_far = SoFar()
    assert so_far.partial([]) is None
    so_far.hear((DELTA, delta("of an older attempt", 0, 1)))
    at = 0
    for length in lengths:
        so_far.hear((DELTA, delta(text[at : at + length], at, 2)))
        so_far.hear((DELTA, delta(" that goes on", 19, 1)))
        at = min(at + length, len(text))
    partial = so_far.partial([])
    assert partial is not None
    assert (partial.text, partial.offset, partial.attempt) == (text[:at], at, 2)


def test_the_end_of_a_run_ends_its_text_and_no_others() -> None:
    for kind in ("message.completed", "run.completed", "run.failed", "run.cancelled"):
        joining = LiveText()
        joining.join(delta("half", 0))
        joining.see(Event(type=kind, run_id=RUN, message_id="msg_1"))
        late = delta("half and more", 0)
        assert joining.join(late) is None
        assert not joining.has_gap_before(delta("far", 99))
        assert joining.join(delta("next", 0, run="run_2")) is not None


def test_other_events_end_nothing() -> None:
    joining = LiveText()
    joining.join(delta("one ", 0))
    for kind in ("message.created", "run.started", "run.retrying"):
        joining.see(Event(type=kind, run_id=RUN, message_id="msg_1"))
    joined = joining.join(delta("two", 4))
    assert joined is not None
    assert joined["text"] == "two"


def test_a_partial_is_not_shown_beside_the_event_that_ends_it() -> None:
    so_far = SoFar()
    so_far.hear((DELTA, delta("half", 0)))
    assert so_far.partial([Event(type="run.completed", run_id=RUN)]) is None
    assert so_far.partial([Event(type="run.completed", run_id="another")]) is not None


def test_missing_text_is_asked_for_once_until_it_came() -> None:
    joining = LiveText()
    joining.join(delta("ab", 0))
    asked = [joining.asks_for_text_before(delta("x", at)) for at in (4, 5, 6)]
    assert asked == [True, False, False]
    assert joining.join(delta("ef", 4)) is None
    joined = joining.join(delta("abcdef", 0))
    assert joined is not None
    assert (joined["offset"], joined["text"]) == (2, "cdef")
    assert joining.asks_for_text_before(delta("x", 9))


def test_what_a_run_says_after_its_tools_is_live_again() -> None:
    joining, so_far = LiveText(), SoFar()
    asked = Event(type="message.completed", run_id=RUN, message_id="msg_1")
    for piece in (delta("Let me see.", 0), delta("Done", 0, attempt=2) | {"messageId": "msg_2"}):
        so_far.hear((DELTA, piece))
    joining.join(delta("Let me see.", 0))
    joining.see(asked)
    assert joining.join(delta("Let me see. And", 0)) is None
    after = joining.join(delta("Done", 0, attempt=2) | {"messageId": "msg_2"})
    assert after is not None
    assert after["text"] == "Done"
    partial = so_far.partial([asked])
    assert partial is not None
    assert (partial.message_id, partial.text) == ("msg_2", "Done")
