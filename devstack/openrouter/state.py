"""What the double knows: scripted rules, gates, the model list, and every call it was asked."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from devstack.openrouter.messages import Answer, Call, Calls, Defaults, ModelList, Rule, Wait
from devstack.openrouter.models import MODELS


class State:
    """Shared by all requests of one double; lives on one event loop."""

    def __init__(self, more_models: Sequence[dict[str, Any]] = ()) -> None:
        self._usual_models = [*MODELS, *more_models]
        self._waiters: set[asyncio.Event] = set()
        self._generation = 0
        self._gates: dict[str, asyncio.Event] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, and let go whoever holds at a gate."""
        for gate in self._gates.values():
            gate.set()
        self._gates = {}
        self._rules: list[Rule] = []
        self.calls: list[Call] = []
        self.model_lists = 0
        self.defaults = Defaults()
        self.model_list = ModelList()
        self._generation += 1
        self.changed()

    def add_rule(self, rule: Rule) -> None:
        """Append a rule; earlier ones that still have answers win."""
        self._rules.append(rule.model_copy(deep=True))

    def next_answer(self, model: str, last_user_text: str) -> Answer | None:
        """The scripted answer for a call, used up by this; None where nothing is scripted."""
        for rule in self._rules:
            if not rule.answers or (rule.model is not None and rule.model != model):
                continue
            if rule.contains is not None and rule.contains not in last_user_text:
                continue
            if rule.repeat_last and len(rule.answers) == 1:
                return rule.answers[0]
            return rule.answers.pop(0)
        return None

    def gate(self, name: str) -> asyncio.Event:
        """The gate of that name; one that was released stays open."""
        return self._gates.setdefault(name, asyncio.Event())

    def models(self) -> list[dict[str, Any]]:
        """The rows of the model list."""
        chosen = self.model_list.models
        return self._usual_models if chosen is None else chosen

    def knows(self, model: str) -> bool:
        """Whether a call may name this model."""
        return any(row.get("id") == model for row in self.models())

    def add_call(self, body: dict[str, Any], idempotency_key: str) -> Call:
        """Record a call that has just arrived."""
        model = str(body.get("model", ""))
        number = len(self.calls)
        call = Call(
            index=number,
            id=f"gen-{self._generation}-{number}",
            model=model,
            models=[str(name) for name in body.get("models") or [model]],
            stream=bool(body.get("stream")),
            messages=body.get("messages") or [],
            body=body,
            idempotency_key=idempotency_key,
            started_at=time.time(),
        )
        self.calls.append(call)
        self.changed()
        return call

    def snapshot(self) -> Calls:
        """All calls as they are now."""
        return Calls(calls=self.calls, model_lists=self.model_lists)

    def changed(self) -> None:
        """Make whoever waits for a condition look again."""
        for waiter in self._waiters:
            waiter.set()

    async def wait(self, wanted: Wait) -> bool:
        """Until the condition holds; False when it did not in time."""
        return await self._wait_until(lambda: self._holds(wanted), wanted.timeout_seconds)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await waiter.wait()
                    waiter.clear()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def _holds(self, wanted: Wait) -> bool:
        closed = sum(call.closed_at is not None for call in self.calls)
        if len(self.calls) < wanted.calls or closed < wanted.closed:
            return False
        if wanted.call is None:
            chosen = self.calls
        elif wanted.call < len(self.calls):
            chosen = [self.calls[wanted.call]]
        else:
            return False
        return any(_call_holds(call, wanted) for call in chosen) or not _about_a_call(wanted)


def _about_a_call(wanted: Wait) -> bool:
    return bool(wanted.tokens_sent or wanted.waiting or wanted.call_closed)


def _call_holds(call: Call, wanted: Wait) -> bool:
    return (
        call.tokens_sent >= wanted.tokens_sent
        and (call.waiting or not wanted.waiting)
        and (call.closed_at is not None or not wanted.call_closed)
    )
