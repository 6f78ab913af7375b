"""The retry policies that components choose from, each with its reason.

They govern crashes and bugs only: expected failures of a step are values that `chassis.steps`
retries itself. No other module states retry numbers for Restate.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How Restate repeats an attempt that crashed, and what it does when the bound is spent."""

    name: str
    initial_interval: timedelta
    max_interval: timedelta
    max_attempts: int
    on_max_attempts: Literal["pause", "kill"]


# Two minutes, so that a restart of the handlers is never the end of a call: a killed call may have
# done half its work, and its idempotency key remembers the failure. The edge answers the client
# long before, and a repeat with the same key finds the call still going. Kill, because nobody
# resumes a gateway call.
REQUEST = RetryPolicy("REQUEST", timedelta(milliseconds=50), timedelta(seconds=2), 60, "kill")

# A paused call would block its key for ever, so a singleton is killed when the bound is spent.
# About ten minutes, so that an ordinary outage of the handlers' own process heals by itself; every
# three seconds, because that is how long a thread may stand still after the process is back.
SINGLETON = RetryPolicy("SINGLETON", timedelta(milliseconds=50), timedelta(seconds=3), 200, "kill")

# Nobody waits and the work is worth keeping: pause for an operator, who resumes after a fix.
LONG_RUNNING = RetryPolicy(
    "LONG_RUNNING", timedelta(milliseconds=50), timedelta(seconds=3), 200, "pause"
)
