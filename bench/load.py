"""Closed-loop load: wrk for single requests, asyncio where a client has to read and go on.

wrk is used where a Python client would measure itself; what Python drives is a few hundred
requests a second, and its share of the processor is part of every row it drives.
"""

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class LoadError(Exception):
    """The load could not be made. The text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load saw. Times in milliseconds."""

    per_second: float
    p50: float
    p99: float


def wrk(
    url: str,
    body: Mapping[str, object] | str,
    headers: Mapping[str, str],
    *,
    connections: int,
    seconds: float,
    expect: int = 200,
) -> Load:
    """POST the same body as fast as the answers come; any other status is a failure."""
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("The program wrk is not installed; on Debian: apt-get install wrk")
    text = body if isinstance(body, str) else json.dumps(body)
    lines = ['wrk.method = "POST"', f"wrk.body = {_lua(text)}"]
    for name, value in {"content-type": "application/json", **headers}.items():
        lines.append(f"wrk.headers[{_lua(name)}] = {_lua(value)}")
    lines += [
        "local threads = {}",
        "bad = 0",
        "setup = function(thread) table.insert(threads, thread) end",
        f"response = function(status) if status ~= {expect} then bad = bad + 1 end end",
        "done = function() local n = 0",
        "for _, t in ipairs(threads) do n = n + t:get('bad') end",
        "print('bad ' .. n) end",
    ]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        script.write_text("\n".join(lines), encoding="utf-8")
        command = [
            program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script),
            url,
        ]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    bad = re.search(r"bad (\d+)", said)
    if bad is None or bad.group(1) != "0" or "Socket errors" in said:
        raise LoadError(f"{url} did not answer {expect} every time:\n{said}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    return Load(float(rate.group(1)), _percentile(said, "50%"), _percentile(said, "99%"))


async def closed_loop(
    work: Callable[[int], Awaitable[None]], *, workers: int, seconds: float
) -> Load:
    """Each worker does `work(its number)` again and again; one that began in time is counted."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def worker(number: int) -> None:
        while (began := time.perf_counter()) < end:
            await work(number)
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker(number) for number in range(workers)))
    return summary(times, time.perf_counter() - began)


def summary(times: list[float], seconds: float) -> Load:
    """Many times in seconds as a Load."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Load(len(times) / seconds, statistics.median(ordered) * 1000, p99 * 1000)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all that it started, from the kernel's own accounts."""
    ticks = 0
    for process in (pid, *_descendants(pid)):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process and all that it started."""
    kilobytes = 0
    for process in (pid, *_descendants(pid)):
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", status)
        kilobytes += int(found.group(1)) if found else 0
    return kilobytes / 1024


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *_descendants(int(child))]
    return found


def _percentile(said: str, name: str) -> float:
    found = re.search(rf"{name}\s+([\d.]+)(us|ms|s)", said)
    assert found is not None, said
    return float(found.group(1)) * _UNITS[found.group(2)]


def _lua(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)
