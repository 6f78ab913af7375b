"""How a thread's context is kept within what its model can read."""

from typing import Annotated

from pydantic import AfterValidator, Field

from chassis.message import Double, Int32, Message, ProtoEnum, violation


class ContextStrategy(ProtoEnum):
    """What happens to older messages when a thread grows longer than its model should read.

    KEEP_LAST: the model sees the newest messages only. The default.
    SUMMARIZE: older messages are summarised by a model when the context reaches a threshold.
    NONE: nothing is left out; a context that is too long is refused with CONTEXT_LENGTH_EXCEEDED.

    Where a thread was compacted, its summary stands for the older messages whatever the strategy.
    """

    CONTEXT_STRATEGY_UNSPECIFIED = 0
    KEEP_LAST = 1
    SUMMARIZE = 2
    NONE = 3


class ContextManagement(Message):
    """How the context of the thread's runs is kept within what its model can read.

    keep_last: with KEEP_LAST how many of the newest messages the model sees, instead of
        `settings.keepLast`; with SUMMARIZE how many of them a compaction leaves as they are. 0
        means the platform's default.
    threshold: with SUMMARIZE the share of the model's context window at which the thread is
        compacted after a run; 0.8 unless it is said.
    target: the share of that window that the messages which a compaction leaves as they are may
        take; 0.4 unless it is said. Not above the threshold.
    summary_model: what summarises, instead of the thread's model.
    instructions: what a summary has to keep in any case, for the model that writes it.
    """

    strategy: ContextStrategy = ContextStrategy.CONTEXT_STRATEGY_UNSPECIFIED
    keep_last: Int32 = Field(default=0, ge=0, le=1000)
    threshold: Double | None = Field(default=None, ge=0.05, le=1)
    target: Double | None = Field(default=None, ge=0.01, le=1)
    summary_model: str = Field(default="", max_length=200)
    instructions: str = Field(default="", max_length=4000)


DEFAULT_THRESHOLD, DEFAULT_TARGET = 0.8, 0.4


def _target_below_threshold(managed: ContextManagement) -> ContextManagement:
    threshold = DEFAULT_THRESHOLD if managed.threshold is None else managed.threshold
    if managed.target is not None and managed.target > threshold:
        raise violation("must not have a target above the threshold")
    return managed


ManagedContext = Annotated[ContextManagement, AfterValidator(_target_below_threshold)]
