"""How long after its hint an event can be read.

A handler hints when it ends; what it wrote is there for others once Restate has committed it, a
moment later and longer under load. A read that comes too soon is wasted, and costs as much as the
others do. So readers wait for as long as it took lately: a miss adds a step, a hit takes some away,
which leaves about one read in ten to miss.
"""

import asyncio

_STEP, _MOST = 0.002, 0.05
_SHARE_KEPT = 0.98


class Lag:
    """What one process has learned; shared by its readers."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def wait(self, heard_at: float) -> None:
        """Until an event should be there whose hint came then (on the loop's clock)."""
        left = heard_at + self.seconds - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def learn(self, heard_at: float, *, missed: bool) -> None:
        """What the first read after a hint told; a read long after it tells nothing."""
        if missed:
            self.seconds = min(self.seconds + _STEP, _MOST)
        elif asyncio.get_running_loop().time() < heard_at + _MOST:
            self.seconds *= _SHARE_KEPT
