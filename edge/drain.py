"""SIGTERM reaches the application before the server waits for its connections.

granian's lifespan shutdown comes only after every stream has ended, which is too late to end
them. So its signal set-up is wrapped: the same signal first sets our event, then granian's. The
wrapped name is private to granian, therefore its version is pinned and a test covers the drain.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import granian._signals as granian_signals

_granian: Any = granian_signals  # its functions are not typed
_wrapped: Callable[[asyncio.AbstractEventLoop], Any] = _granian.set_loop_signals
_events: list[asyncio.Event] = []


def tell(draining: asyncio.Event) -> None:
    """Have `draining` set by the first SIGTERM or SIGINT that a granian worker gets.

    To be called while granian loads the application, that is before it sets its signals.
    """
    _events.append(draining)
    _granian.set_loop_signals = _set_loop_signals


def _set_loop_signals(loop: asyncio.AbstractEventLoop) -> Any:
    shutdown = _wrapped(loop)

    def on_signal() -> None:
        for event in _events:
            event.set()
        shutdown.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return shutdown
