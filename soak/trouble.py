"""What is done to the platform: processes die, stop and freeze, and the model's vendor fails."""

import asyncio
import contextlib
import os
import random
import signal
import time

import aiohttp
import httpx

from devstack.openrouter.control import OpenRouterControl
from devstack.processes import ProcessError
from devstack.stack import CLOUD, EDGE, HANDLERS, RESTATE, STOP_SECONDS, Stack
from soak.history import History, Json
from soak.options import Options

# The bus has no process of its own: it lives in the handlers and dies with them.
VICTIMS = ((HANDLERS,), (EDGE,), (RESTATE,), (CLOUD,), (HANDLERS, RESTATE), (EDGE, HANDLERS))
WAYS = ("kill", "kill", "kill", "stop", "freeze")
FAULTS: dict[str, Json] = {
    "429": {"kind": "status", "status": 429, "retry_after": "1"},
    "503": {"kind": "status", "status": 503},
    "cut": {"kind": "cut", "after": 4},
    "stall": {"kind": "stall", "after": 4},
    "garbage": {"kind": "garbage"},
    "slow": {"kind": "slow", "delay_ms": 200},
}
FIRST_TOKEN_MS, TOKEN_MS = 60, 15
_LONGEST_GAP_SECONDS, _LONGEST_FAULT_SECONDS = 20.0, 8.0


class Trouble:
    """Makes trouble until the load ends, and leaves everything whole behind it."""

    def __init__(self, options: Options, history: History, stack: Stack) -> None:
        self._options = options
        self._history = history
        self._stack = stack
        self._round: list[tuple[str, ...]] = []
        self._hurting = asyncio.Lock()

    async def hurt_processes(self) -> None:
        """Each as often as the others, in the stormy parts of the soak."""
        gap = min(_LONGEST_GAP_SECONDS, self._options.seconds / 25)
        await asyncio.sleep(gap)
        while (now := self._history.now()) < self._history.ends_at - gap:
            if self._options.stormy(now):
                if not self._round:
                    self._round = random.sample(VICTIMS, len(VICTIMS))
                await self._hurt(self._round.pop(), random.choice(WAYS))
            await asyncio.sleep(random.uniform(gap * 0.4, gap * 1.2))

    async def spoil_the_vendor(self) -> None:
        """One fault after the other, with times in which all is well."""
        longest = min(_LONGEST_FAULT_SECONDS, self._options.seconds / 40)
        async with aiohttp.ClientSession() as http:
            while True:
                for name in random.sample(list(FAULTS), len(FAULTS)):
                    await asyncio.sleep(random.uniform(longest, longest * 5))
                    if self._history.now() > self._history.ends_at - 3 * longest:
                        return
                    await self._spoil(http, name, random.uniform(longest / 4, longest))

    async def keep_pace(self) -> None:
        """Let the double answer as fast as a model does, and forget what it was asked: it keeps
        every call for tests. One that was started again has to be told."""
        control = OpenRouterControl(self._stack.openrouter_url)
        try:
            while True:
                try:
                    await control.reset()
                    await control.pace(first_token_delay_ms=FIRST_TOKEN_MS, token_delay_ms=TOKEN_MS)
                except httpx.TransportError:
                    self._history.counts["paces not set"] += 1
                await asyncio.sleep(5)
        finally:
            await control.aclose()

    async def watch(self) -> None:
        """A process that ends although nobody has ended it is a finding, and is started again."""
        while True:
            for name, process in self._stack.processes.items():
                async with self._hurting:
                    if not process.running:
                        told = f"{name} ended with {process.ending()}"
                        self._history.find("processes live", told)
                        process.kill()
                        await asyncio.to_thread(self._start, (name,))
            await asyncio.sleep(1)

    async def _hurt(self, names: tuple[str, ...], way: str) -> None:
        async with self._hurting:
            with self._history.marked(way, "+".join(names)):
                if way == "freeze":
                    await asyncio.to_thread(self._freeze, names)
                else:
                    await asyncio.to_thread(self._end, names, way)

    def _end(self, names: tuple[str, ...], way: str) -> None:
        for name in names:
            if way == "kill":
                self._stack.kill(name)
            else:
                self._stack.processes[name].stop(STOP_SECONDS[name])
        time.sleep(random.uniform(0, 2))
        self._start(names)

    def _freeze(self, names: tuple[str, ...]) -> None:
        groups = [pid for name in names if (pid := self._stack.processes[name].pid)]
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        time.sleep(random.uniform(0.5, 4))
        for group in groups:
            os.killpg(group, signal.SIGCONT)

    def _start(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._stack.processes[name].start()
        for name in names:
            try:
                self._stack.wait_ready(name)
            except ProcessError as error:
                self._history.find("processes come back", str(error))

    async def _spoil(self, http: aiohttp.ClientSession, name: str, seconds: float) -> None:
        url = f"{self._stack.cloud_url}/faults"
        with self._history.marked("fault", name):
            with contextlib.suppress(aiohttp.ClientError):  # dead just now, which is a fault, too
                await (await http.put(f"{url}/openrouter", json=FAULTS[name])).read()
            await asyncio.sleep(seconds)
            while True:
                try:
                    await (await http.delete(url)).read()
                    return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
