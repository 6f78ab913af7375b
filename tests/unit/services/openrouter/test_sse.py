"""Events come out the same however the network cuts the bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.openrouter import sse
from services.openrouter.sse import EventTooLargeError, SseParser

_LINES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)


def events(*pieces: bytes) -> list[str]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[start:end] for start, end in pairwise(at)]


@given(
    data=st.lists(st.lists(_LINES, min_size=1, max_size=3), max_size=4),
    newline=st.sampled_from(["\n", "\r", "\r\n"]),
    places=st.lists(st.integers(0, 1000), max_size=8),
)
def test_any_cut_of_the_bytes_gives_the_same_events(
    data: list[list[str]], newline: str, places: list[int]
) -> None:
    blocks = [
        ": comment" + newline + "".join(f"data: {line}{newline}" for line in lines)
        for lines in data
    ]
    raw = "".join(block + newline for block in blocks).encode()
    assert events(*cut(raw, places)) == ["\n".join(lines) for lines in data]


def test_a_character_split_over_two_pieces_is_put_together() -> None:
    raw = "data: é🙂\n\n".encode()
    assert events(*[raw[at : at + 1] for at in range(len(raw))]) == ["é🙂"]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert events(b"data: a\xff\xfeb\n\n") == ["a\ufffd\ufffdb"]


def test_comments_other_fields_and_empty_blocks_are_no_events() -> None:
    assert events(b": hi\n\nevent: x\nid: 1\nretry: 5\n\n\n\ndata\n\n") == [""]


def test_an_event_without_its_blank_line_is_dropped() -> None:
    assert events(b"data: whole\n\ndata: half\n") == ["whole"]


def test_a_byte_order_mark_is_ignored() -> None:
    assert events(b"\xef\xbb", b"\xbfdata: x\n\n") == ["x"]


def test_a_page_that_is_no_event_stream_has_no_lines_of_one() -> None:
    parser = SseParser()
    assert parser.feed(b"<html>\n<body>data</body>\n\n") == []
    assert parser.lines == 0


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: y\n" * 10])
def test_an_event_that_never_ends_is_refused(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_CHARS", 1000)
    with pytest.raises(EventTooLargeError):
        events(*[piece] * 200)
