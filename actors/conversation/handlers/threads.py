"""Opening a thread and reading its state."""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import contract
from actors.conversation.acceptance import Accepting
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import ListMessagesRequest
from actors.conversation.contract.thread import (
    GetStateRequest,
    OpenRequest,
    OpenResponse,
    State,
    ThreadStatus,
)
from actors.conversation.handlers.reads import message_page
from actors.conversation.state import HEAD, Head
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
            at = (await self._accepting.check(ctx, request.generation_config)).at
            head = Head(
                opened=request,
                name=request.name,
                created_at=at,
                settings=request.settings,
                generation_config=request.generation_config,
            )
            HEAD.set(ctx, head)
        elif head.opened != request:
            raise contract.THREAD_EXISTS.error()
        return OpenResponse(name=head.name, created_at=head.created_at)

    @implements(contract.get_state)
    async def get_state(self, ctx: ObjectSharedContext, request: GetStateRequest) -> State:
        """Read the thread's state and a page of its messages."""
        head = await HEAD.get(ctx)
        if head is None:
            raise contract.THREAD_NOT_FOUND.error()
        page = await message_page(
            ctx,
            head,
            ListMessagesRequest(page_size=request.page_size, page_token=request.page_token),
        )
        totals = head.totals
        return State(
            conversation_key=key_segments(ctx.key())[-1],
            name=head.name,
            status=ThreadStatus.RUNNING if head.active else ThreadStatus.IDLE,
            created_at=head.created_at,
            messages=page.messages[::-1],
            next_page_token=page.next_page_token,
            active_run_id=head.active.run.run_id if head.active else "",
            queued_run_ids=[pending.run.run_id for pending in head.queue],
            generation_config=head.generation_config,
            settings=head.settings,
            metadata=head.opened.metadata,
            total_usage=Usage(
                prompt_tokens=totals.prompt_tokens,
                completion_tokens=totals.completion_tokens,
                total_tokens=totals.prompt_tokens + totals.completion_tokens,
            ),
            total_cost_usd=totals.cost_usd,
            last_sequence=head.last_sequence,
        )
