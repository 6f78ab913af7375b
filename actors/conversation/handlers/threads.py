"""Opening a thread, changing how it behaves, reading its state."""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import contract
from actors.conversation.acceptance import Accepting
from actors.conversation.context import management_of, mark_of, summary_of
from actors.conversation.contract.entry import Compaction, Usage
from actors.conversation.contract.run import ListMessagesRequest
from actors.conversation.contract.thread import (
    GenerationConfig,
    GetStateRequest,
    OpenRequest,
    OpenResponse,
    Settings,
    State,
    ThreadStatus,
    UpdateGenerationConfigRequest,
    UpdateGenerationConfigResponse,
    UpdateRequest,
    UpdateResponse,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from actors.conversation.handlers.reads import head_of, message_page
from actors.conversation.ledger import Ledger, metadata_of
from actors.conversation.merging import updated, without
from actors.conversation.naming import branch_id
from actors.conversation.path import END, Path
from actors.conversation.state import COMPACTIONS, HEAD, CompactionHistory, Copying, Head
from chassis.identity import key_segments
from chassis.serve import implements


class Threads:
    """The thread as a whole."""

    def __init__(self, accepting: Accepting) -> None:
        self._accepting = accepting

    @implements(contract.open_thread)
    async def open(self, ctx: ObjectContext, request: OpenRequest) -> OpenResponse:
        """Create the thread; a repeat with the same content finds it open."""
        head = await HEAD.get(ctx)
        if head is None:
            beside = management_of(request.settings).summary_model
            at = (await self._accepting.check(ctx, request.generation_config, beside=beside)).at
            head = Head(
                opened=request,
                name=request.name,
                created_at=at,
                settings=request.settings,
                generation_config=request.generation_config,
                copying=Copying() if request.fork else None,
            )
            HEAD.set(ctx, head)
        elif head.closed is not None:
            raise contract.THREAD_DELETING.error()
        elif not _same(head.opened, request):
            raise contract.THREAD_EXISTS.error()
        copying = head.copying
        return OpenResponse(
            name=head.opened.name,
            created_at=head.created_at,
            copying=copying is not None,
            copied=copying.after if copying else 0,
        )

    @implements(contract.update)
    async def update(self, ctx: ObjectContext, request: UpdateRequest) -> UpdateResponse:
        """Rename or archive the thread, or replace its metadata."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        cleared = set(request.clear)
        wished = {
            "name": "" if "name" in cleared else request.name or head.name,
            "metadata": {} if "metadata" in cleared else request.metadata or metadata_of(head),
            "archived": head.archived if request.archived is None else request.archived,
        }
        known = {"name": head.name, "metadata": metadata_of(head), "archived": head.archived}
        if wished != known:
            ledger.head = head = head.model_copy(update={**wished, "revision": head.revision + 1})
            ledger.save()
        return UpdateResponse(
            name=head.name,
            archived=head.archived,
            metadata=metadata_of(head),
            created_at=head.created_at,
            revision=head.revision,
        )

    @implements(contract.update_settings)
    async def update_settings(
        self, ctx: ObjectContext, request: UpdateSettingsRequest
    ) -> UpdateSettingsResponse:
        """Change some of the thread's settings; they hold from the next run on."""
        ledger = await Ledger.open(ctx)
        kept = without(ledger.head.settings or Settings(), request.clear)
        settings = updated(kept, request, "settings")
        managed = request.settings.context_management if request.settings else None
        if managed is not None and managed.summary_model:
            await self._accepting.check(ctx, None, beside=managed.summary_model)
        # The size of the context was measured with the settings before.
        ledger.head.settings, ledger.head.measured = settings, None
        ledger.save()
        return UpdateSettingsResponse(settings=ledger.head.settings)

    @implements(contract.update_generation_config)
    async def update_generation_config(
        self, ctx: ObjectContext, request: UpdateGenerationConfigRequest
    ) -> UpdateGenerationConfigResponse:
        """Change some of the thread's config; it holds for messages sent from now on."""
        ledger = await Ledger.open(ctx)
        kept = without(ledger.head.generation_config or GenerationConfig(), request.clear)
        config = updated(kept, request, "generation_config")
        await self._accepting.check(ctx, config)
        ledger.head.generation_config = config
        ledger.save()
        return UpdateGenerationConfigResponse(generation_config=config)

    @implements(contract.get_state)
    async def get_state(self, ctx: ObjectSharedContext, request: GetStateRequest) -> State:
        """Read the thread's state and a page of its messages."""
        head = await head_of(ctx)
        page = await message_page(
            ctx,
            head,
            Path(ctx, head, head.piece),
            ListMessagesRequest(page_size=request.page_size, page_token=request.page_token),
        )
        totals = head.totals
        history, summary = await _compacted(ctx, head)
        return State(
            conversation_key=key_segments(ctx.key())[-1],
            name=head.name,
            status=_status(head),
            created_at=head.created_at,
            messages=page.messages[::-1],
            next_page_token=page.next_page_token,
            active_run_id=head.active.run.run_id if head.active else "",
            queued_run_ids=[pending.run.run_id for pending in head.queue],
            generation_config=head.generation_config,
            settings=head.settings,
            metadata=metadata_of(head),
            archived=head.archived,
            total_usage=Usage(
                prompt_tokens=totals.prompt_tokens,
                completion_tokens=totals.completion_tokens,
                total_tokens=totals.prompt_tokens + totals.completion_tokens,
            ),
            total_cost_usd=totals.cost_usd,
            last_sequence=head.last_sequence,
            active_branch_id=branch_id(head.piece.branch),
            pending_approvals=head.active.approvals if head.active else [],
            compactions=history,
            compaction_running=head.compacting is not None,
            context_summary=summary,
        )


async def _compacted(ctx: ObjectSharedContext, head: Head) -> tuple[list[Compaction], str]:
    """The newest compactions, and the summary that holds for the active branch. A thread that
    never was compacted reads nothing more."""
    if not head.marks:
        return [], ""
    history = await COMPACTIONS.get(ctx) or CompactionHistory()
    mark = await mark_of(head, Path(ctx, head, head.piece), END)
    return history.compactions[::-1], await summary_of(ctx, mark)


def _same(opened: OpenRequest, request: OpenRequest) -> bool:
    if opened.fork is not None:
        return (opened.name, opened.fork) == (request.name, request.fork)
    return opened == request


def _status(head: Head) -> ThreadStatus:
    if head.active is None:
        return ThreadStatus.IDLE
    return ThreadStatus.AWAITING_APPROVAL if head.active.approvals else ThreadStatus.RUNNING
