"""Threads as a whole, as clients call them."""

from restate import Context

from actors.conversation import contract as conversation
from actors.conversation.contract.compaction import CompactRequest
from actors.conversation.contract.ending import CloseRequest, EraseRequest
from actors.conversation.contract.fork import ExportRequest, ImportRequest
from actors.conversation.contract.thread import (
    ForkOrigin,
    OpenRequest,
    State,
    UpdateGenerationConfigResponse,
    UpdateRequest,
    UpdateSettingsResponse,
)
from actors.conversation_manager import contract as manager
from actors.conversation_manager.contract import (
    ListRequest,
    ListResponse,
    RegisterRequest,
    RemoveRequest,
    Thread,
)
from chassis.calls import Relayed, call, make
from chassis.identity import Caller
from chassis.serve import implements
from chassis.steps import new_id, now
from gateways.llm import contract, targets
from gateways.llm.contract import (
    CompactConversationRequest,
    CompactConversationResponse,
    CreateThreadRequest,
    CreateThreadResponse,
    DeleteThreadRequest,
    DeleteThreadResponse,
    ForkThreadRequest,
    ForkThreadResponse,
    UpdateThreadResponse,
)
from services.erasure import contract as erasure
from services.erasure.contract import PurgeRequest
from workflows.compaction import contract as compaction
from workflows.compaction.contract import OutcomeRequest


class ThreadsGateway:
    """Threads, as clients call them."""

    @implements(contract.list_threads)
    async def list_threads(self, ctx: Context, request: ListRequest) -> Relayed[ListResponse]:
        """List the caller's threads, newest activity first.

        `query` keeps threads whose name or key contains it, without regard to case. Archived
        threads are listed apart, with `archived`.
        """
        return await make(ctx, targets.list_threads(_caller(ctx), request))

    @implements(contract.create_thread)
    async def create_thread(
        self, ctx: Context, request: CreateThreadRequest
    ) -> CreateThreadResponse:
        """Create a thread.

        The `conversation_key` is the caller's choice, unique for each user, and made when it is
        left out. A repeat with the same content answers the same thread; with other content it
        is refused.
        """
        caller = _caller(ctx)
        key = request.conversation_key or new_id(ctx, "thread", await now(ctx))
        opened = await call(
            ctx,
            conversation.open_thread,
            OpenRequest(
                name=request.name,
                settings=request.settings,
                generation_config=request.generation_config,
                metadata=request.metadata,
            ),
            key=caller.key(key),
        )
        thread = Thread(conversation_key=key, name=opened.name, created_at=opened.created_at)
        register = RegisterRequest(thread=thread)
        await call(ctx, manager.register, register, key=caller.user_key())
        return CreateThreadResponse(
            conversation_key=key, name=opened.name, created_at=opened.created_at
        )

    @implements(contract.update_thread)
    async def update_thread(
        self, ctx: Context, request: contract.PublicUpdateThreadRequest
    ) -> UpdateThreadResponse:
        """Rename or archive a thread, or replace its metadata.

        What is left out stays as it is. An archived thread works like any other; `list-threads`
        shows it when `archived` is asked for.
        """
        caller = _caller(ctx)
        asked = UpdateRequest(
            name=request.name,
            archived=request.archived,
            metadata=request.metadata,
            clear=[*request.clear],
        )
        key = request.conversation_key
        now_is = await call(ctx, conversation.update, asked, key=caller.key(key))
        thread = Thread(conversation_key=key, name=now_is.name, archived=now_is.archived)
        shown = manager.UpdateRequest(thread=thread, revision=now_is.revision)
        await call(ctx, manager.update, shown, key=caller.user_key())
        return UpdateThreadResponse(
            conversation_key=key,
            name=now_is.name,
            archived=now_is.archived,
            metadata=now_is.metadata,
            created_at=now_is.created_at,
        )

    @implements(contract.delete_thread)
    async def delete_thread(
        self, ctx: Context, request: DeleteThreadRequest
    ) -> DeleteThreadResponse:
        """Delete a thread.

        Stops its runs and reminders and erases its history, its records and what the platform's
        log keeps of them. The answer is the receipt. A deletion that could not be finished is
        finished by a repeat; until then the thread is there for nobody.
        """
        caller = _caller(ctx)
        key = caller.key(request.conversation_key)
        closed = await call(ctx, conversation.close, CloseRequest(), key=key)
        remove = RemoveRequest(conversation_key=request.conversation_key)
        await call(ctx, manager.remove, remove, key=caller.user_key())
        purge = PurgeRequest(component=conversation.component.name, key=key)
        purged = await call(ctx, erasure.purge, purge)
        erased = await call(ctx, conversation.erase, EraseRequest(), key=key)
        return DeleteThreadResponse(
            conversation_key=request.conversation_key,
            stopped_run_ids=closed.stopped_run_ids,
            erased_messages=erased.messages,
            erased_runs=erased.runs,
            erased_events=erased.events,
            erased_invocations=purged.purged,
            stopped_timers=purged.reminders,
        )

    @implements(contract.fork_thread)
    async def fork_thread(self, ctx: Context, request: ForkThreadRequest) -> ForkThreadResponse:
        """Copy a thread up to a message.

        The copy is a thread of its own with the same messages, settings and metadata, and without
        runs; the thread itself stays as it is. A repeat with the same `new_conversation_key` finds
        the copy, and finishes one that was not finished.
        """
        caller = _caller(ctx)
        source = caller.key(request.conversation_key)
        key = request.new_conversation_key or new_id(ctx, "thread", await now(ctx))
        copy = caller.key(key)
        export = ExportRequest(message_id=request.message_id)
        page = await call(ctx, conversation.export, export, key=source)
        origin = ForkOrigin(
            conversation_key=request.conversation_key, message_id=request.message_id
        )
        open_ = OpenRequest(
            name=request.name,
            settings=page.settings,
            generation_config=page.generation_config,
            metadata=page.metadata,
            fork=origin,
        )
        opened = await call(ctx, conversation.open_thread, open_, key=copy)
        since, copying = opened.copied, opened.copying
        while copying:
            if since:
                export = ExportRequest(message_id=request.message_id, after=since)
                page = await call(ctx, conversation.export, export, key=source)
            taken = await call(
                ctx, conversation.import_page, ImportRequest(since=since, page=page), key=copy
            )
            since, copying = taken.after, not taken.done
        name = request.name or page.name
        thread = Thread(conversation_key=key, name=name, created_at=opened.created_at)
        await call(ctx, manager.register, RegisterRequest(thread=thread), key=caller.user_key())
        return ForkThreadResponse(conversation_key=key, name=name, created_at=opened.created_at)

    @implements(contract.update_settings)
    async def update_settings(
        self, ctx: Context, request: contract.PublicUpdateSettingsRequest
    ) -> Relayed[UpdateSettingsResponse]:
        """Change some of a thread's settings.

        What is left out stays as it is; `clear` names what goes back to the platform's default.
        The change holds from the next run on.
        """
        return await make(ctx, targets.update_settings(_caller(ctx), request))

    @implements(contract.update_generation_config)
    async def update_generation_config(
        self, ctx: Context, request: contract.PublicUpdateGenerationConfigRequest
    ) -> Relayed[UpdateGenerationConfigResponse]:
        """Change how a thread's answers are generated.

        What is left out stays as it is; `clear` names what goes back to the platform's default.
        The change holds for messages that are sent from now on.
        """
        return await make(ctx, targets.update_generation_config(_caller(ctx), request))

    @implements(contract.compact_conversation)
    async def compact_conversation(
        self, ctx: Context, request: CompactConversationRequest
    ) -> CompactConversationResponse:
        """Summarise the older messages of a thread.

        A model reads them in pieces and writes the summary, which stands for them in the context
        of every later run; the newest messages stay as they are, and all messages stay readable.
        The answer tells how many tokens that saves. It comes when the summary is there; a client
        that does not want to wait that long repeats the request with the same Idempotency-Key, or
        reads the event `context.compacted`. A thread whose run is active can be compacted, too.
        """
        key = _caller(ctx).key(request.conversation_key)
        started = await call(ctx, conversation.compact, CompactRequest(), key=key)
        ended = await call(ctx, compaction.outcome, OutcomeRequest(), key=started.compaction_id)
        return CompactConversationResponse(
            conversation_key=request.conversation_key, compaction=ended.compaction
        )

    @implements(contract.conversation_state)
    async def conversation_state(
        self, ctx: Context, request: contract.ConversationStateRequest
    ) -> Relayed[State]:
        """Read a thread: its status, settings, active run, totals and the newest messages.

        `messages` is in the order they were said; `nextPageToken` leads to those before.
        `compactions` tells which messages a summary stands for in the context, and what it saved.
        """
        return await make(ctx, targets.conversation_state(_caller(ctx), request))


def _caller(ctx: Context) -> Caller:
    return Caller.from_headers(ctx.request().headers)
