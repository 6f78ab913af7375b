"""Waiting for a free stream, without holding anything while waiting."""

from datetime import UTC, datetime, timedelta

from restate import WorkflowContext

from chassis.message import Double, Message
from chassis.steps import attempt, clock
from chassis.suspension import free_slot
from errors import RpcError
from services.openrouter.streams import ModelStreams
from workflows.generation.stop import Stop

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 5.0


class Place(Message):
    """Whether the run has a place among the streams of this process, and since when."""

    taken: bool = False
    at: Double


class Admission:
    """Admits runs to the streams of this process, below Restate's own limit.

    A run that finds no place sleeps durably, which frees its invocation slot, so that reads and
    new threads stay quick however many runs wait.
    """

    def __init__(self, streams: ModelStreams) -> None:
        self._streams = streams

    async def wait(self, ctx: WorkflowContext, stop: Stop) -> datetime | None:
        """When the run got its place; None when it was stopped before."""
        seconds = _FIRST_WAIT
        while True:
            place = await attempt(ctx, "admit", self._admit, Place, ctx.key())
            if isinstance(place, RpcError):
                raise place
            if place.taken:
                return datetime.fromtimestamp(place.at, UTC)
            jittered = timedelta(seconds=seconds * (0.5 + ctx.random().random()))
            free_slot(ctx)
            if await stop.interrupts(ctx.sleep(jittered, name="wait for a stream")):
                return None
            seconds = min(seconds * 1.5, _LONGEST_WAIT)

    async def _admit(self, run_id: str) -> Place:
        return Place(taken=self._streams.admit(run_id), at=clock())
