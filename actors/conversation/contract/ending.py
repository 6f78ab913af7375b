"""Messages about deleting a thread."""

from pydantic import Field

from chassis.message import Message, UInt32


class CloseRequest(Message):
    """Stop what the thread does and let nobody in any more."""


class CloseResponse(Message):
    """The runs that were active or waited."""

    stopped_run_ids: list[str] = Field(default_factory=list[str])


class EraseRequest(Message):
    """Forget a thread that was closed."""


class EraseResponse(Message):
    """How much there was."""

    messages: UInt32 = 0
    runs: UInt32 = 0
    events: UInt32 = 0
