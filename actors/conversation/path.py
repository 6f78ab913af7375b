"""Which entries of the log a branch consists of, and how to get from one to the next.

A branch is a chain of pieces. Each piece is a stretch of the log in which the branch was the
active one, and says up to which place it shows its parent. So a branch shares what came before
it instead of copying that, and reading it leaps over what other branches said meanwhile: the
newest page of a branch costs the same however long the thread is and however many it has.
"""

from dataclasses import dataclass

from actors.conversation.state import PIECE, Entry, Head, Piece
from chassis.state import ReadContext

END = 2**32 - 1
"""Beyond every sequence and every turn."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a branch shows of one piece: entries between two sequences, both included, up to a
    place in the order of turns."""

    piece: int
    low: int
    high: int
    upto: tuple[int, int]

    def shows(self, entry: Entry) -> bool:
        """Whether the entry is one of them."""
        return (
            entry.piece == self.piece
            and self.low <= entry.event.sequence <= self.high
            and (entry.turn, entry.event.sequence) <= self.upto
        )


class Path:
    """A branch from its tip down; pieces are loaded when a reader gets to them."""

    def __init__(self, ctx: ReadContext, head: Head, tip: Piece, *, alone: bool = False) -> None:
        """alone: the tip's own entries, not those of its parents."""
        self._ctx = ctx
        self._head = head
        self._deepest = tip
        self._complete = alone or tip.number == 0
        self._segments = [Segment(tip.number, tip.begin, _end_of(head, tip), (END, END))]

    def shows(self, entry: Entry) -> bool:
        """Whether the entry is part of the branch; true answers need its piece to be reached."""
        return any(segment.shows(entry) for segment in self._segments)

    async def includes(self, piece: int, turn: int, sequence: int) -> bool:
        """Whether a message of this place is part of the branch."""
        await self.reach(sequence)
        return any(
            each.piece == piece
            and each.low <= sequence <= each.high
            and (turn, sequence) <= each.upto
            for each in self._segments
        )

    async def reach(self, sequence: int) -> None:
        """Load every piece that shows an entry at this sequence or above."""
        while not self._complete and self._next_high >= sequence:
            await self._load_next()

    async def below(self, position: int) -> tuple[int, int]:
        """The next sequence at or below `position` where something may be shown, and how far
        down one may read on from there; zeros at the end."""
        await self.reach(position)
        while position > 0:
            here = [s.low for s in self._segments if s.low <= position <= s.high]
            if here:
                return position, max(min(here), 1)
            lower = [s.high for s in self._segments if s.low <= s.high < position]
            position = max([*lower, 0 if self._complete else self._next_high])
            await self.reach(position)
        return 0, 0

    async def above(self, position: int) -> tuple[int, int]:
        """The next sequence at or above `position` where something may be shown, and how far up
        one may read on from there; zeros at the end. Loads the whole chain."""
        await self.reach(1)
        present = [s for s in self._segments if s.low <= s.high and s.high >= position]
        if not present:
            return 0, 0
        position = max(position, min(s.low for s in present))
        return position, max(s.high for s in present if s.low <= position)

    @property
    def _next_high(self) -> int:
        return self._deepest.parent_end - 1 if self._deepest.parent_end else END

    async def _load_next(self) -> None:
        child = self._deepest
        parent = await piece_of(self._ctx, self._head, child.parent)
        high = min(_end_of(self._head, parent), self._next_high)
        upto = (child.upto_turn, child.upto_sequence)
        self._segments.append(Segment(parent.number, parent.begin, high, upto))
        self._deepest = parent
        self._complete = parent.number == 0


async def piece_of(ctx: ReadContext, head: Head, number: int) -> Piece:
    """A piece by its number; the active one stands in the head."""
    if number == head.piece.number:
        return head.piece
    return await PIECE.of(number).get(ctx) or Piece(number=number)


def _end_of(head: Head, piece: Piece) -> int:
    return head.last_sequence if piece.number == head.piece.number else piece.end
