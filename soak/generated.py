"""The generated calls of `tests/contract`, many of them, as a phase of the soak."""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Generated:
    """How that went; `text` is what was said."""

    calls: int
    seconds: float
    passed: bool
    text: str


async def generated_calls(calls: int, log_path: Path) -> Generated:
    """Run them on a platform of their own, which nobody kills; its answers keep the contract."""
    command = (sys.executable, "-m", "pytest", "tests/contract", "--cases", str(calls))
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    log_path.write_bytes(said)
    last = said.decode(errors="replace").strip().splitlines()[-1:]
    return Generated(calls, time.monotonic() - began, process.returncode == 0, "".join(last))
