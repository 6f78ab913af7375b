"""Compaction: started here, done by a workflow, recorded here when it still fits.

The thread stays as it is until the summary is whole, and whatever a model does. A report of a
compaction that is not the one under way changes nothing, because a workflow that was thought lost
may still speak.
"""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import budgets, compacting, contract, log
from actors.conversation.acceptance import Accepting
from actors.conversation.context import management_of
from actors.conversation.contract.compaction import (
    CompactRequest,
    CompactResponse,
    FinishCompactionRequest,
    FinishCompactionResponse,
    ReadCompactedRequest,
    ReadCompactedResponse,
)
from actors.conversation.contract.entry import (
    CONTEXT_COMPACTED,
    ChatMessage,
    Compaction,
    CompactionTrigger,
)
from actors.conversation.handlers.reads import head_of
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.naming import branch_id
from actors.conversation.path import Path, piece_of
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import (
    COMPACTIONS,
    HISTORY,
    MARKS,
    SUMMARY,
    Compacting,
    CompactionHistory,
    Entry,
    Summary,
)
from actors.conversation.turn import added
from chassis.serve import implements

_PAGE = 100


class Compactions:
    """The summaries of a thread."""

    def __init__(
        self, settings: ConversationSettings, accepting: Accepting, lifecycle: Lifecycle
    ) -> None:
        self._settings = settings
        self._accepting = accepting
        self._lifecycle = lifecycle

    @implements(contract.compact)
    async def compact(self, ctx: ObjectContext, request: CompactRequest) -> CompactResponse:
        """Start to summarise the older messages of the active branch."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        config = head.generation_config
        budgets.check(head, config.budget if config else None)
        wished = compacting.summariser_of(head, self._settings)
        beside = management_of(head.settings).summary_model
        models = compacting.models_of(head, self._settings)
        accepted = await self._accepting.check(ctx, models, beside=beside)
        if compacting.running(head, accepted.at):
            raise contract.COMPACTION_RUNNING.error()
        compaction_id = await compacting.start(
            ctx,
            head,
            head.piece.number,
            compacting.Summariser(wished, accepted.beside_window if beside else accepted.window),
            CompactionTrigger.MANUAL,
            self._settings,
            accepted.window,
            accepted.at,
        )
        if not compaction_id:
            raise contract.NOTHING_TO_COMPACT.error()
        ledger.save()
        return CompactResponse(compaction_id=compaction_id)

    @implements(contract.finish_compaction)
    async def finish_compaction(
        self, ctx: ObjectContext, request: FinishCompactionRequest
    ) -> FinishCompactionResponse:
        """Take in a summary, once, if it is that of the compaction under way."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        under_way = head.compacting
        if under_way is None or under_way.compaction_id != request.compaction_id:
            return FinishCompactionResponse()
        head.compacting = None
        usage = request.usage
        head.totals = added(
            head.totals,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            request.cost_usd,
        )
        if request.error is not None:
            ledger.save()
            return FinishCompactionResponse()
        done = _recorded(request, under_way)
        history = await COMPACTIONS.get(ctx) or CompactionHistory()
        history.compactions = [*history.compactions, done][-HISTORY:]
        head.summaries += 1
        mark = under_way.mark.model_copy(update={"summary": head.summaries})
        SUMMARY.of(head.summaries).set(ctx, Summary(text=request.summary))
        COMPACTIONS.set(ctx, history)
        for gone in head.marks[: -(MARKS - 1)]:
            SUMMARY.of(gone.summary).clear(ctx)
        head.marks = [*head.marks[-(MARKS - 1) :], mark]
        ledger.append(CONTEXT_COMPACTED, request.at, compaction=done)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return FinishCompactionResponse(compaction=done)

    @implements(contract.read_compacted)
    async def read_compacted(
        self, ctx: ObjectSharedContext, request: ReadCompactedRequest
    ) -> ReadCompactedResponse:
        """Hand out messages that are to be summarised."""
        head = await head_of(ctx)
        path = Path(ctx, head, await piece_of(ctx, head, request.piece))
        low = (request.after_turn, request.after_sequence)
        high = (request.upto_turn, request.upto_sequence)

        def wanted(entry: Entry) -> bool:
            return log.stands(entry) and low < log.turn_order(entry) <= high

        # An entry stands at or above the sequence that is its turn.
        after = max(request.after, request.after_turn - 1, 0)
        found = await log.oldest_first(ctx, head, after, _PAGE + 1, wanted, path)
        page = log.fitting(found[:_PAGE])
        return ReadCompactedResponse(
            messages=[
                _shortened(log.message_of(entry), request.longest_message)
                for entry in await log.with_contents(ctx, page)
            ],
            after=page[-1].event.sequence if page else after,
            done=len(page) == len(found),
        )


def _recorded(request: FinishCompactionRequest, under_way: Compacting) -> Compaction:
    return Compaction(
        compaction_id=request.compaction_id,
        trigger=under_way.trigger,
        created_at=request.at,
        model=request.model,
        branch_id=branch_id(under_way.branch),
        messages_summarized=request.messages_summarized,
        up_to_message_id=under_way.upto_message_id,
        up_to_sequence=under_way.mark.sequence,
        tokens_before=request.tokens_before,
        tokens_after=request.tokens_after,
        tokens_saved=max(request.tokens_before - request.tokens_after, 0),
        usage=request.usage,
        cost_usd=request.cost_usd,
    )


def _shortened(message: ChatMessage, longest: int) -> ChatMessage:
    if not longest or len(message.content) <= longest:
        return message
    half = longest // 2
    content = f"{message.content[:half]} [...] {message.content[-half:]}"
    return message.model_copy(update={"content": content})
