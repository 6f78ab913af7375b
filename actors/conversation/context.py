"""What the model of a run reads of its thread: a summary where there is one, and messages.

Reading costs the same however long the thread is: it ends at the last message that a summary
stands for, and at a number of messages that the strategy gives.
"""

from dataclasses import dataclass

from restate import ObjectContext

from actors.conversation import log, turn
from actors.conversation.contract.context import ContextManagement, ContextStrategy
from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage, Work
from actors.conversation.contract.thread import GenerationConfig, Settings
from actors.conversation.path import Path, piece_of
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import SUMMARY, Entry, Head, Mark, Measured, PendingRun, Shown
from chassis.state import Ahead, ReadContext
from services.openrouter.tokens import family_of

_MOST = 1000
"""Messages that are read for one context when nothing may be left out."""

_NEARLY = 0.75
"""A context that is so full of messages is compacted, before the oldest find no room."""

_ANSWER_TOKENS = 4096
"""Left free for an answer whose length nobody bounds."""

_PREFACE = (
    "This is a summary of the earlier part of our conversation, which is no longer shown in full:"
)


@dataclass(frozen=True, slots=True)
class View:
    """A context before it is written down: its messages in order, and what stands before them."""

    entries: list[Entry]
    summary: str
    shown: Shown
    overflow: bool


def management_of(settings: Settings | None) -> ContextManagement:
    """How the thread wants its context kept, its strategy named."""
    managed = (settings.context_management if settings else None) or ContextManagement()
    if managed.strategy is ContextStrategy.CONTEXT_STRATEGY_UNSPECIFIED:
        return managed.model_copy(update={"strategy": ContextStrategy.KEEP_LAST})
    return managed


def keep_last(settings: Settings | None, platform: ConversationSettings) -> int:
    """How many messages the strategy KEEP_LAST shows."""
    own = management_of(settings).keep_last or (settings.keep_last if settings else 0)
    return own or platform.keep_last


async def mark_of(head: Head, path: Path, before_turn: int) -> Mark | None:
    """The summary that reaches furthest on a path, of messages before a turn."""
    marks = [mark for mark in head.marks if mark.turn < before_turn]
    for mark in sorted(marks, key=place_of, reverse=True):
        if await path.includes(mark.piece, mark.turn, mark.sequence):
            return mark
    return None


def place_of(mark: Mark | None) -> tuple[int, int]:
    """Where a mark stands in the order of turns."""
    return (mark.turn, mark.sequence) if mark is not None else (0, 0)


async def summary_of(ctx: ReadContext, mark: Mark | None) -> str:
    """The text that a mark is about."""
    summary = await SUMMARY.of(mark.summary).get(ctx) if mark is not None else None
    return summary.text if summary is not None else ""


def begin_reading(ctx: ObjectContext, head: Head, platform: ConversationSettings) -> Ahead:
    """Begin to read what the context of a run that starts now will need. Where there are summaries
    or branches that may be less, or other pages: those are read when their time comes."""
    straight = not head.branches and not head.marks
    if not straight or management_of(head.settings).strategy is not ContextStrategy.KEEP_LAST:
        return Ahead(ctx, [])
    return Ahead(ctx, log.newest_pages(head, keep_last(head.settings, platform)))


async def work_of(
    ctx: ReadContext, head: Head, pending: PendingRun, platform: ConversationSettings
) -> Work:
    """The part of a run's work that is about its context; notes what was shown in `pending`."""
    settings = head.settings
    view = await _view(ctx, head, pending, platform)
    pending.shown = view.shown
    prompt = settings.system_prompt if settings else ""
    leading = turn.context_of([], prompt)
    if view.summary:
        content = f"{_PREFACE}\n\n{view.summary}"
        leading.append(ContextMessage(role=Role.user, content=content))
    config = pending.run.generation_config or GenerationConfig()
    bounded = management_of(settings).strategy is not ContextStrategy.NONE
    known = _known(head.measured, view, config.model)
    return Work(
        context=leading + turn.context_of(view.entries, ""),
        prompt_limit=_prompt_limit(pending.window, config) if bounded else 0,
        pinned=len(leading),
        known_tokens=head.measured.tokens if head.measured and known else 0,
        known_messages=known + len(leading) if known else 0,
        overflow=view.overflow,
    )


async def _view(
    ctx: ReadContext, head: Head, pending: PendingRun, platform: ConversationSettings
) -> View:
    strategy = management_of(head.settings).strategy
    path = Path(ctx, head, await piece_of(ctx, head, pending.piece))
    mark = await mark_of(head, path, pending.turn) if head.marks else None
    wanted = {
        ContextStrategy.SUMMARIZE: platform.summarized_context,
        ContextStrategy.NONE: _MOST + 1,
    }.get(strategy, keep_last(head.settings, platform))
    latest = await log.latest_of_turn(ctx, head, pending.turn, wanted, path, place_of(mark))
    fitting = log.fitting(latest)
    entries = sorted(await log.with_contents(ctx, fitting), key=log.turn_order)
    cut = len(fitting) < len(latest)
    return View(
        entries=entries,
        summary=await summary_of(ctx, mark),
        shown=Shown(
            first=entries[0].event.sequence if entries else 0,
            summary=mark.summary if mark is not None else 0,
            whole=not cut and len(latest) < wanted,
            full=cut or len(latest) >= _NEARLY * wanted,
        ),
        overflow=strategy is ContextStrategy.NONE and (cut or len(latest) > _MOST),
    )


def _prompt_limit(window: int, config: GenerationConfig) -> int:
    if not window:
        return 0
    answer = config.max_tokens or min(window // 4, _ANSWER_TOKENS)
    return max(window - answer, window // 4)


def _known(measured: Measured | None, view: View, model: str) -> int:
    """How many of the messages are those that were measured with the last run; 0 where the
    context does not begin with them."""
    if measured is None or not measured.tokens or not view.entries:
        return 0
    same = measured.shown.first == view.shown.first
    if not same or measured.shown.summary != view.shown.summary:
        return 0
    if family_of(measured.model) is not family_of(model):
        return 0
    places = (n for n, e in enumerate(view.entries, 1) if e.event.sequence == measured.last)
    return next(places, 0)
