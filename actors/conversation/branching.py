"""Making branches and going from one to another.

The thread has one active branch: new messages go there, and `conversation-state` shows it. A run
stays with the branch in which it was started, so choosing another disturbs nothing. Branch 0 is
the one that every thread begins with.
"""

from datetime import datetime

from restate import ObjectContext

from actors.conversation import log
from actors.conversation.contract import BRANCH_NOT_FOUND
from actors.conversation.contract.branch import Branch, BranchKind
from actors.conversation.contract.entry import RUN_STARTED
from actors.conversation.ledger import Ledger
from actors.conversation.naming import branch_id, branch_number
from actors.conversation.path import END, Path, piece_of
from actors.conversation.state import BRANCH, PIECE, TIP, BranchRecord, Entry, Head, Piece, Tip
from chassis.state import ReadContext, get_all


def number_of(head: Head, named: str) -> int:
    """The branch that a client names; raises branch.not_found."""
    number = branch_number(named)
    if number is None or number > head.branches:
        raise BRANCH_NOT_FOUND.error()
    return number


async def tip_of(ctx: ReadContext, head: Head, number: int) -> Piece:
    """The newest piece of a branch."""
    if number == head.piece.branch:
        return head.piece
    tip = await TIP.of(number).get(ctx)
    return await piece_of(ctx, head, tip.piece if tip is not None else 0)


async def fork(
    ctx: ObjectContext, ledger: Ledger, asked: Entry, kind: BranchKind, at: datetime
) -> str:
    """Begin a branch at a user's message, which stays when its answer is made anew and is left
    out when it is edited, and make it the active one. Returns its id."""
    head = ledger.head
    piece = await _piece_from(ctx, head, asked, kind)
    _leave(ctx, head)
    head.branches += 1
    piece.branch = head.branches
    record = BranchRecord(
        number=piece.branch,
        parent=asked.branch,
        message_id=asked.event.message_id,
        kind=kind,
        created_at=at,
    )
    BRANCH.of(piece.branch).set(ctx, record)
    _open(head, piece)
    return branch_id(piece.branch)


async def choose(ctx: ObjectContext, ledger: Ledger, number: int) -> None:
    """Make another branch the active one; what is said next continues it."""
    head = ledger.head
    tip = await tip_of(ctx, head, number)
    _leave(ctx, head)
    if tip.number != 0 and tip.first_turn == 0:
        # Nothing was said in it: going to and fro makes no chain of empty pieces.
        tip.begin, tip.end = head.last_sequence + 1, 0
        head.piece = tip
    else:
        _open(head, Piece(branch=number, parent=tip.number, upto_turn=END, upto_sequence=END))


async def branches(ctx: ReadContext, head: Head, numbers: list[int]) -> list[Branch]:
    """Branches as clients see them, `main` last."""
    made = await get_all(ctx, [BRANCH.of(number) for number in numbers if number])
    records = [*made, BranchRecord(created_at=head.created_at)] if 0 in numbers else made
    return [_shown(head, record) for record in records if record is not None]


async def _piece_from(ctx: ObjectContext, head: Head, asked: Entry, kind: BranchKind) -> Piece:
    turn = asked.event.sequence
    parent = await piece_of(ctx, head, asked.piece)
    if kind is BranchKind.REGENERATE:
        began = await _first_start(ctx, head, parent, turn)
        upto = {"upto_turn": turn, "upto_sequence": turn}
        return Piece(parent=parent.number, parent_end=began, first_turn=turn, **upto)
    if parent.number and turn <= parent.first_turn:
        # Nothing of the parent is left, so the branch stands beside it: a message that is edited
        # a thousand times makes no chain of a thousand pieces.
        return parent.model_copy(update={"first_turn": 0})
    began = await _first_start(ctx, head, parent, turn)
    return Piece(parent=parent.number, parent_end=began, upto_turn=turn - 1, upto_sequence=END)


async def _first_start(ctx: ObjectContext, head: Head, piece: Piece, turn: int) -> int:
    """Where the first run of this turn or of a later one of the piece began: runs of a piece
    start in the order of their turns, so all that was said before stands below. 0: nowhere yet.
    """

    def begins(entry: Entry) -> bool:
        return entry.event.type == RUN_STARTED and entry.turn >= turn

    path = Path(ctx, head, piece, alone=True)
    found = await log.oldest_first(ctx, head, turn - 1, 1, begins, path)
    return found[0].event.sequence if found else 0


def _leave(ctx: ObjectContext, head: Head) -> None:
    left = head.piece
    left.end = head.last_sequence
    PIECE.of(left.number).set(ctx, left)
    TIP.of(left.branch).set(ctx, Tip(piece=left.number))


def _open(head: Head, piece: Piece) -> None:
    head.pieces += 1
    piece.number = head.pieces
    piece.begin, piece.end = head.last_sequence + 1, 0
    head.piece = piece


def _shown(head: Head, record: BranchRecord) -> Branch:
    return Branch(
        branch_id=branch_id(record.number),
        parent_branch_id=branch_id(record.parent) if record.number else "",
        message_id=record.message_id,
        kind=record.kind,
        created_at=record.created_at,
        active=record.number == head.piece.branch,
    )
