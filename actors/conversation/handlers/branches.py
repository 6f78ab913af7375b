"""Answering anew, editing, and going from one branch to another."""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import activity, branching, contract, log, saying
from actors.conversation.contract.branch import (
    Branch,
    BranchedResponse,
    BranchKind,
    ChooseBranchRequest,
    EditMessageRequest,
    ListBranchesRequest,
    ListBranchesResponse,
    RegenerateRequest,
)
from actors.conversation.contract.entry import BRANCH_CHOSEN, BRANCH_CREATED, Role
from actors.conversation.contract.run import Run
from actors.conversation.handlers.reads import head_of
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.starting import Starting
from actors.conversation.state import Entry, PendingRun
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.serve import implements
from chassis.steps import now

_DEFAULT_PAGE = 50


class Branches:
    """The ways that a thread went."""

    def __init__(self, starting: Starting, lifecycle: Lifecycle) -> None:
        self._starting = starting
        self._lifecycle = lifecycle

    @implements(contract.regenerate)
    async def regenerate(self, ctx: ObjectContext, request: RegenerateRequest) -> BranchedResponse:
        """Answer a user's message anew, in a branch of its own."""
        ledger = await Ledger.open(ctx)
        asked = await self._question(ctx, ledger, request.message_id)
        policy = self._starting.check_room(ledger.head, request.interrupt_policy)
        run, accepted = await self._starting.accept(ctx, ledger.head, request.generation_config)

        run.message_id, turn = asked.event.message_id, asked.event.sequence
        kind = BranchKind.REGENERATE
        run.branch_id = await branching.fork(ctx, ledger, asked, kind, accepted.at)
        ledger.append(
            BRANCH_CREATED, accepted.at, run_id=run.run_id, message_id=run.message_id, turn=turn
        )
        piece = ledger.head.piece
        pending = PendingRun(
            run=run, turn=turn, policy=policy, piece=piece.number, branch=piece.branch
        )
        await self._starting.launch(ctx, ledger, pending, accepted)
        activity.tell(ctx, ledger.head, accepted.at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return _branched(run, ledger.head.last_sequence)

    @implements(contract.edit_message)
    async def edit_message(
        self, ctx: ObjectContext, request: EditMessageRequest
    ) -> BranchedResponse:
        """Say a user's message in other words, in a branch of its own, and answer that."""
        ledger = await Ledger.open(ctx)
        repeated = await saying.repeated(ctx, ledger.head, request)
        if repeated is not None:
            return _branched(*repeated)
        asked = await self._message(ctx, ledger, request.message_id)
        if asked.event.message is None or asked.event.message.role is not Role.user:
            raise contract.NOT_THE_USERS.error()
        policy = self._starting.check_room(ledger.head, request.interrupt_policy)
        run, accepted = await self._starting.accept(ctx, ledger.head, request.generation_config)

        run.branch_id = await branching.fork(ctx, ledger, asked, BranchKind.EDIT, accepted.at)
        ledger.append(BRANCH_CREATED, accepted.at, message_id=request.message_id)
        pending = saying.say(ctx, ledger, run, request, policy, accepted.at)
        await self._starting.launch(ctx, ledger, pending, accepted)
        saying.remember(ctx, ledger, run, request)
        activity.tell(ctx, ledger.head, accepted.at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return _branched(run, ledger.head.last_sequence)

    @implements(contract.choose_branch)
    async def choose_branch(self, ctx: ObjectContext, request: ChooseBranchRequest) -> Branch:
        """Make a branch the active one. Runs go on where they were started."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        number = branching.number_of(head, request.branch_id)
        if number != head.piece.branch:
            at = await now(ctx)
            await branching.choose(ctx, ledger, number)
            ledger.append(BRANCH_CHOSEN, at)
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
        [chosen] = await branching.branches(ctx, head, [number])
        return chosen

    @implements(contract.list_branches)
    async def list_branches(
        self, ctx: ObjectSharedContext, request: ListBranchesRequest
    ) -> ListBranchesResponse:
        """List branches, newest first."""
        head = await head_of(ctx)
        token = request.page_token
        if token and not (token.isdecimal() and int(token) <= head.branches):
            raise PAGE_TOKEN_INVALID.error()
        newest = int(token) if token else head.branches
        oldest = max(newest - (request.page_size or _DEFAULT_PAGE) + 1, 0)
        return ListBranchesResponse(
            branches=await branching.branches(ctx, head, [*range(newest, oldest - 1, -1)]),
            next_page_token=str(oldest - 1) if oldest else "",
        )

    async def _message(self, ctx: ObjectContext, ledger: Ledger, message_id: str) -> Entry:
        entry = await log.find(ctx, ledger.head, message_id)
        if entry is None or entry.void:
            raise contract.MESSAGE_NOT_FOUND.error()
        return entry

    async def _question(self, ctx: ObjectContext, ledger: Ledger, message_id: str) -> Entry:
        """The user's message that this is, or that it belongs to the answer of."""
        entry = await self._message(ctx, ledger, message_id)
        return await log.entry_at(ctx, ledger.head, entry.turn)


def _branched(run: Run, last_sequence: int) -> BranchedResponse:
    return BranchedResponse(
        run_id=run.run_id,
        status=run.status,
        message_id=run.message_id,
        branch_id=run.branch_id,
        last_sequence=last_sequence,
    )
