"""Server-sent events out of bytes that arrive in any pieces.

Follows the WHATWG rules that matter here: lines end with LF, CR or CRLF, `:` begins a comment,
several `data:` lines make one event, a blank line ends it, and an event without one is dropped.
Bytes that are no UTF-8 become U+FFFD; a character split over two pieces is put together.
"""

import codecs

MAX_EVENT_CHARS = 32 * 1024 * 1024


class EventTooLargeError(Exception):
    """An event grew past MAX_EVENT_CHARS without ending."""


class SseParser:
    """Feed it bytes, get the `data` of every event that became complete."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._line: list[str] = []
        self._data: list[str] = []
        self._size = 0
        self._after_cr = False
        self.lines = 0
        """Lines of the event stream format so far, comments included."""

    def feed(self, piece: bytes) -> list[str]:
        """The events that `piece` completed, in order.

        :raises EventTooLargeError: the sender does not speak events, or means harm
        """
        text = self._decode(piece)
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        *complete, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        events: list[str] = []
        for line in complete:
            self._line.append(line)
            whole = "".join(self._line)
            self._line.clear()
            self._end_of_line(whole, events)
        if rest:
            self._line.append(rest)
            self._grow(len(rest))
        return events

    def _end_of_line(self, line: str, events: list[str]) -> None:
        if not line:
            if self._data:
                events.append("\n".join(self._data))
                self._data.clear()
            self._size = 0
            return
        name, _, value = line.partition(":")
        if name in ("data", "event", "id", "retry", ""):
            self.lines += 1
        if name == "data":
            self._data.append(value.removeprefix(" "))
            self._grow(len(value))

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_EVENT_CHARS:
            raise EventTooLargeError
