"""Stopping a run: our own promise and an operator's cancel, taken in the same place.

The rules were found by experiment: wait with `select`, because an awaited future keeps a cancel
for ever; after the stop wait for the *same* future again, so that the partial answer arrives as
a value; and keep the reason in an object that the step looks at when it really runs, so that a
step that is executed again after a crash does not call the model a second time.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import restate
from restate import WorkflowContext
from restate.context import RestateDurableFuture
from restate.exceptions import TerminalError

T = TypeVar("T")

STOP = "stop"
OPERATOR = "cancelled by an operator"


class Stop:
    """Whether the run is to stop, and why; the first reason counts."""

    def __init__(self, ctx: WorkflowContext) -> None:
        self._promise = ctx.promise(STOP, type_hint=str).value()
        self.reason: str | None = None

    async def outlast(self, future: RestateDurableFuture[T], on_stop: Any) -> T:
        """The value of `future`; a stop meanwhile calls `on_stop` and the wait goes on."""
        while True:
            waiting: dict[str, RestateDurableFuture[Any]] = {"done": future}
            if self.reason is None:
                waiting["stop"] = self._promise
            what, value = await self._select(waiting)
            if what == "done":
                return cast("T", value)
            self.reason = self.reason or value
            on_stop()

    async def interrupts(self, future: RestateDurableFuture[Any]) -> bool:
        """Wait for `future` or a stop, whichever comes first; whether it was the stop."""
        if self.reason is not None:
            return True
        what, value = await self._select({"done": future, "stop": self._promise})
        if what == "stop":
            self.reason = value
        return what == "stop"

    async def or_first(
        self, waiting: Mapping[str, RestateDurableFuture[Any]]
    ) -> tuple[str, Any] | None:
        """The first that is there with its name, or None when the stop came first. Once stopped,
        it waits for the others alone."""
        if self.reason is not None:
            return await self._select(dict(waiting))
        what, value = await self._select({**waiting, "stop": self._promise})
        if what != "stop":
            return what, value
        self.reason = value
        return None

    async def _select(self, waiting: dict[str, RestateDurableFuture[Any]]) -> tuple[str, Any]:
        try:
            what, value = await restate.select(**waiting)
        except TerminalError as failure:
            if failure.status_code != 409:
                raise
            return "stop", OPERATOR
        return what, value
