"""How the traces of an object are erased."""

from datetime import timedelta

from restate import Context

from chassis.message import Message, UInt32
from chassis.serve import implements
from chassis.steps import STEP, step
from services.erasure import contract
from services.erasure.client import RestateAdmin, Trace
from services.erasure.contract import PurgeRequest, PurgeResponse
from services.erasure.settings import ErasureSettings

_PAUSE = timedelta(milliseconds=100)
# After the patience is spent: rounds in which what was killed is purged.
_LAST_ROUNDS = 50


class Round(Message):
    """What one look erased. `left` is what is still there."""

    purged: UInt32 = 0
    reminders: UInt32 = 0
    killed: UInt32 = 0
    left: UInt32 = 0


class Erasure:
    """Erases traces, by way of Restate's admin port."""

    def __init__(self, admin: RestateAdmin, settings: ErasureSettings) -> None:
        self._admin = admin
        self._patient_rounds = int(settings.patience_seconds / _PAUSE.total_seconds())

    @implements(contract.purge)
    async def purge(self, ctx: Context, request: PurgeRequest) -> PurgeResponse:
        """Erase what Restate keeps of an object beside its state, and of what it started.

        What is at work is given time to end, then killed, unless it is the object itself.
        """
        done = PurgeResponse()
        for number in range(self._patient_rounds + _LAST_ROUNDS):
            kill = number >= self._patient_rounds
            look = await step(ctx, f"round {number}", self._round, Round, STEP, request, kill)
            done.purged += look.purged
            done.reminders += look.reminders
            done.killed += look.killed
            if look.left == 0:
                return done
            await ctx.sleep(_PAUSE, name=f"pause {number}")
        raise contract.BUSY.error()

    async def _round(self, request: PurgeRequest, kill: bool) -> Round:
        """The body of a step: one look at what there is."""
        traces = await self._admin.traces(request.component, request.key)
        look = Round(left=len(traces))
        for trace in traces:
            await self._erase(trace, look, kill=kill and trace.component != request.component)
        return look

    async def _erase(self, trace: Trace, look: Round, *, kill: bool) -> None:
        match trace.status:
            case "completed":
                done = await self._admin.purge(trace)
                look.purged += done
                look.left -= done
            case "scheduled":
                done = await self._admin.kill(trace)
                look.reminders += done
                look.left -= done
            case _ if kill:
                look.killed += await self._admin.kill(trace)
            case _:
                pass
