"""When a thread is compacted, and what of it. A workflow does the work; see `CompactionPlan`.

A compaction takes whole turns of settled runs only: those of runs that are active or wait may
still be rolled back, and a question is not parted from its answer.
"""

from dataclasses import dataclass
from datetime import datetime

from restate import ObjectContext

from actors.conversation import budgets, context, log
from actors.conversation.contract.compaction import CompactionPlan
from actors.conversation.contract.context import (
    DEFAULT_TARGET,
    DEFAULT_THRESHOLD,
    ContextStrategy,
)
from actors.conversation.contract.entry import CompactionTrigger
from actors.conversation.contract.run import FinishRunRequest
from actors.conversation.contract.thread import GenerationConfig
from actors.conversation.ledger import Ledger
from actors.conversation.path import END, Path, piece_of
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import Compacting, Entry, Head, Mark, Measured, PendingRun
from actors.conversation.turn import context_of
from chassis.calls import send
from chassis.steps import new_id
from errors import Code
from services.openrouter.tokens import context_tokens
from workflows.compaction import contract as compaction

# Of a message that stands under a key of its own only the size is known here.
_BYTES_A_TOKEN = 4

# Characters of one message that the summarising model is shown at most, and of all of them
# together about: what a workflow reads stays in its journal while it lasts.
_LONGEST_MESSAGE, _SHORTEST_CUT = 8000, 400
_ALL_CHARACTERS = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Summariser:
    """What summarises. window: tokens that it can take; 0 where that is not known."""

    config: GenerationConfig
    window: int


def measure(head: Head, pending: PendingRun, report: FinishRunRequest, answered: int) -> None:
    """Keep what the model reported of the context: estimates begin there."""
    shown = pending.shown
    if shown is None or not answered or not report.context_tokens or report.context_dropped:
        return
    head.measured = Measured(
        tokens=report.context_tokens, model=report.model, last=answered, shown=shown
    )


def due(head: Head, pending: PendingRun, report: FinishRunRequest, at: datetime) -> bool:
    """Whether the run has shown that the thread should be compacted now."""
    managed = context.management_of(head.settings)
    if managed.strategy is not ContextStrategy.SUMMARIZE or running(head, at):
        return False
    if pending.shown is not None and pending.shown.full:
        return True
    if report.context_dropped or _too_long(report):
        return True
    threshold = DEFAULT_THRESHOLD if managed.threshold is None else managed.threshold
    return bool(pending.window) and report.context_tokens >= threshold * pending.window


def running(head: Head, at: datetime) -> bool:
    """Whether a compaction is under way that is not lost."""
    return head.compacting is not None and at < head.compacting.deadline


def models_of(head: Head, platform: ConversationSettings) -> GenerationConfig:
    """The models that read the thread."""
    of_thread = head.generation_config or GenerationConfig()
    return GenerationConfig(
        model=of_thread.model or platform.default_model,
        fallback_models=of_thread.fallback_models,
    )


def summariser_of(head: Head, platform: ConversationSettings) -> GenerationConfig:
    """The config of the model that summarises the thread."""
    of_thread = head.generation_config or GenerationConfig()
    model = context.management_of(head.settings).summary_model or of_thread.model
    return GenerationConfig(
        model=model or platform.default_model,
        fallback_models=of_thread.fallback_models if model == of_thread.model else [],
        provider=of_thread.provider,
    )


async def start_automatic(
    ctx: ObjectContext,
    ledger: Ledger,
    pending: PendingRun,
    platform: ConversationSettings,
    at: datetime,
) -> None:
    """Compact the path of a run, if anything can be, and its budget is not spent."""
    head = ledger.head
    config = summariser_of(head, platform)
    own = pending.run.generation_config
    known = own is not None and own.model == config.model
    summariser = Summariser(config, pending.window if known else 0)
    of_thread = head.generation_config
    if budgets.spent(head, of_thread.budget if of_thread else None):
        return
    trigger = CompactionTrigger.AUTOMATIC
    await start(ctx, head, pending.piece, summariser, trigger, platform, pending.window, at)


async def start(
    ctx: ObjectContext,
    head: Head,
    piece: int,
    summariser: Summariser,
    trigger: CompactionTrigger,
    platform: ConversationSettings,
    window: int,
    at: datetime,
) -> str:
    """Start the compaction of a path; its id, or nothing where there is nothing to compact.

    window: of the model that reads the thread.
    """
    tip = await piece_of(ctx, head, piece)
    path = Path(ctx, head, tip)
    bound = min((p.turn for p in _pending(head)), default=END)
    mark = await context.mark_of(head, path, bound)
    after = context.place_of(mark)
    kept = await _kept(ctx, head, path, bound, after, platform, window)
    first = kept[-1].turn if kept else bound
    last = await log.latest_of_turn(ctx, head, first - 1, 1, path, after)
    if not last:
        return ""
    [end] = last
    head.compacting = Compacting(
        compaction_id=new_id(ctx, "cmp", at),
        deadline=at + platform.compaction_deadline,
        branch=tip.branch,
        upto_message_id=end.event.message_id,
        mark=Mark(piece=end.piece, turn=end.turn, sequence=end.event.sequence),
        trigger=trigger,
    )
    plan = await _plan(ctx, head, head.compacting, tip.number, mark, kept, summariser, platform)
    request = compaction.RunRequest(conversation=ctx.key(), plan=plan)
    send(ctx, compaction.run, request, key=plan.compaction_id)
    return plan.compaction_id


async def _plan(
    ctx: ObjectContext,
    head: Head,
    begun: Compacting,
    piece: int,
    mark: Mark | None,
    kept: list[Entry],
    summariser: Summariser,
    platform: ConversationSettings,
) -> CompactionPlan:
    """What the workflow is told: the messages between the mark before and the mark to be."""
    after, upto = context.place_of(mark), context.place_of(begun.mark)
    settings = head.settings
    system = context_of([], settings.system_prompt if settings else "")
    about = head.generation_config.model if head.generation_config else ""
    model = about or platform.default_model
    messages = max((upto[1] - after[1]) // 2, 1)
    return CompactionPlan(
        compaction_id=begun.compaction_id,
        piece=piece,
        after_turn=after[0],
        after_sequence=after[1],
        upto_turn=upto[0],
        upto_sequence=upto[1],
        previous=await context.summary_of(ctx, mark),
        tokens_kept=context_tokens(system, model) + sum(_tokens(each, model) for each in kept),
        tokens_measured=_measured(head, mark),
        context_model=model,
        instructions=context.management_of(settings).instructions,
        generation_config=summariser.config,
        window=summariser.window,
        longest_message=min(max(_ALL_CHARACTERS // messages, _SHORTEST_CUT), _LONGEST_MESSAGE),
        deadline=begun.deadline,
    )


async def _kept(
    ctx: ObjectContext,
    head: Head,
    path: Path,
    bound: int,
    after: tuple[int, int],
    platform: ConversationSettings,
    window: int,
) -> list[Entry]:
    """The messages that stay as they are, newest first: whole turns, the newest one always unless
    it alone is too large."""
    managed = context.management_of(head.settings)
    most = platform.compaction_keeps
    if managed.strategy is ContextStrategy.SUMMARIZE:
        most = managed.keep_last or most
    elif managed.strategy is ContextStrategy.KEEP_LAST:
        # What is kept but never shown would be known to nobody.
        most = min(most, context.keep_last(head.settings, platform))
    target = DEFAULT_TARGET if managed.target is None else managed.target
    room = target * window if window else None
    model = head.generation_config.model if head.generation_config else ""
    latest = await log.latest_of_turn(ctx, head, bound - 1, most + 1, path, after)
    kept = list[Entry]()
    tokens = 0
    while len(kept) < len(latest):
        turn = latest[len(kept)].turn
        more = [entry for entry in latest if entry.turn == turn]
        tokens += sum(_tokens(entry, model) for entry in more)
        if room is not None and tokens > room:
            break
        if kept and len(kept) + len(more) > most:
            break
        kept += more
    return kept


def _pending(head: Head) -> list[PendingRun]:
    return [head.active, *head.queue] if head.active is not None else head.queue


def _tokens(entry: Entry, model: str) -> int:
    return context_tokens(context_of([entry], ""), model) + entry.spilled_bytes // _BYTES_A_TOKEN


def _measured(head: Head, mark: Mark | None) -> int:
    """What the model reported of exactly the context that is to be compacted; 0 for nothing."""
    measured = head.measured
    if measured is None or not measured.shown.whole:
        return 0
    if measured.shown.summary != (mark.summary if mark is not None else 0):
        return 0
    return measured.tokens


def _too_long(report: FinishRunRequest) -> bool:
    return (report.error or {}).get("code") == Code.CONTEXT_LENGTH_EXCEEDED.value
