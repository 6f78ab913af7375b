"""Reading messages, runs and events: shared handlers that write nothing."""

from restate import ObjectSharedContext

from actors.conversation import branching, contract, log
from actors.conversation.contract.entry import BRANCH_CREATED, MESSAGE_CREATED
from actors.conversation.contract.events import ReadEventsRequest, ReadEventsResponse
from actors.conversation.contract.run import (
    GetRunRequest,
    ListMessagesRequest,
    ListMessagesResponse,
    ListRunsRequest,
    ListRunsResponse,
    Run,
)
from actors.conversation.ledger import pending_run, run_record
from actors.conversation.path import Path
from actors.conversation.state import HEAD, RUN, Entry, Head
from chassis.identity import key_segments
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.serve import implements
from chassis.state import get_all

_DEFAULT_PAGE = 50


class Reads:
    """What clients and the edge read of a thread."""

    @implements(contract.list_messages)
    async def list_messages(
        self, ctx: ObjectSharedContext, request: ListMessagesRequest
    ) -> ListMessagesResponse:
        """List messages from either end."""
        head = await head_of(ctx)
        active = head.piece.branch
        branch = branching.number_of(head, request.branch_id) if request.branch_id else active
        path = Path(ctx, head, await branching.tip_of(ctx, head, branch))
        return await message_page(ctx, head, path, request)

    @implements(contract.get_run)
    async def get_run(self, ctx: ObjectSharedContext, request: GetRunRequest) -> Run:
        """Read the record of a run."""
        run = await run_record(ctx, await head_of(ctx), request.run_id)
        if run is None:
            raise contract.RUN_NOT_FOUND.error()
        return run

    @implements(contract.list_runs)
    async def list_runs(
        self, ctx: ObjectSharedContext, request: ListRunsRequest
    ) -> ListRunsResponse:
        """List runs, newest first."""
        head = await head_of(ctx)
        wanted = request.page_size or _DEFAULT_PAGE
        before = _sequence(request.page_token, default=head.last_sequence + 1)
        entries = await log.newest_first(ctx, head, before, wanted + 1, _opens_run)
        shown = entries[:wanted]
        return ListRunsResponse(
            runs=await _records(ctx, head, [entry.event.run_id for entry in shown]),
            next_page_token=_token(shown, more=len(entries) > wanted),
        )

    @implements(contract.read_events)
    async def read_events(
        self, ctx: ObjectSharedContext, request: ReadEventsRequest
    ) -> ReadEventsResponse:
        """Read events after a sequence."""
        head = await head_of(ctx)
        if request.after > head.last_sequence:
            raise contract.BEYOND_END.error()
        conversation_key = key_segments(ctx.key())[-1]
        entries = await log.oldest_first(
            ctx, head, request.after, request.limit, lambda entry: True
        )
        active = head.active
        shown = await log.with_contents(ctx, log.fitting(entries))
        return ReadEventsResponse(
            events=[log.event_of(entry, conversation_key) for entry in shown],
            last_sequence=head.last_sequence,
            active_run_id=active.run.run_id if active else "",
            active_message_id=active.answer_message_id if active else "",
        )


async def message_page(
    ctx: ObjectSharedContext, head: Head, path: Path, request: ListMessagesRequest
) -> ListMessagesResponse:
    """A page of a branch's messages; the token is the sequence at which the next page goes on."""
    wanted = request.page_size or _DEFAULT_PAGE
    if request.oldest_first:
        after = _sequence(request.page_token, default=0)
        found = await log.oldest_first(ctx, head, after, wanted + 1, log.stands, path)
    else:
        before = _sequence(request.page_token, default=head.last_sequence + 1)
        found = await log.newest_first(ctx, head, before, wanted + 1, log.stands, path)
    shown = log.fitting(found[:wanted])
    return ListMessagesResponse(
        messages=[log.message_of(entry) for entry in await log.with_contents(ctx, shown)],
        next_page_token=_token(shown, more=len(shown) < len(found)),
    )


async def head_of(ctx: ObjectSharedContext) -> Head:
    """The thread; raises thread.not_found."""
    head = await HEAD.get(ctx)
    if head is None or not head.open:
        raise contract.THREAD_NOT_FOUND.error()
    return head


async def _records(ctx: ObjectSharedContext, head: Head, run_ids: list[str]) -> list[Run]:
    pending = {run_id: pending_run(head, run_id) for run_id in run_ids}
    settled = [run_id for run_id in run_ids if pending[run_id] is None]
    kept = dict(zip(settled, await get_all(ctx, [RUN.of(r) for r in settled]), strict=True))
    found = [p.run if (p := pending[run_id]) else kept[run_id] for run_id in run_ids]
    return [run for run in found if run is not None]


def _opens_run(entry: Entry) -> bool:
    return entry.event.type in (MESSAGE_CREATED, BRANCH_CREATED) and bool(entry.event.run_id)


def _token(shown: list[Entry], more: bool) -> str:
    return str(shown[-1].event.sequence) if shown and more else ""


def _sequence(token: str, default: int) -> int:
    if not token:
        return default
    if not token.isdecimal() or not 0 < int(token) < 2**32:
        raise PAGE_TOKEN_INVALID.error()
    return int(token)
