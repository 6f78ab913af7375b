"""`yocaso dev` as a process, as a person or a script starts it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from devstack.processes import port_is_free, wait_until

YOCASO = (sys.executable, "-m", "devstack.cli")
READY_SECONDS = 60
API = "/api/v1/llm/gateway/"


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would change which model or which stack is meant."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("YOCASO_")}
    ours.pop("OPENROUTER_API_KEY", None)
    return {**ours, **more}


def yocaso(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        (*YOCASO, *arguments),
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
    )


class Dev:
    """One `yocaso dev` on a data directory; it can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        self.output_file = folder / "output.txt"
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.megabytes_when_ready = 0.0
        """Resident, of all processes but the OpenFGA server, which is there only where Go is."""

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        arguments = ("dev", "--port", "0", "--model", "double", "--data", str(self.data))
        with self.output_file.open("a") as output:
            self._process = subprocess.Popen(
                (*YOCASO, *arguments, "--ready-file", str(self.ready_file), *self._options),
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        process = self._process
        wait_until(lambda: self.ready_file.exists() or process.poll() is not None, READY_SECONDS)
        assert self.ready_file.exists(), self.output
        pids: dict[str, int] = self.description["pids"]
        ours = {name: pid for name, pid in pids.items() if name != "openfga"}
        self.megabytes_when_ready = resident_megabytes([process.pid, *members(ours)])

    @property
    def output(self) -> str:
        """All it has printed."""
        return self.output_file.read_text()

    @property
    def description(self) -> dict[str, Any]:
        """What the ready file says now."""
        return json.loads(self.ready_file.read_text())

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> float:
        """Send a signal and wait for the end; how many seconds that took."""
        assert self._process is not None
        started = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(READY_SECONDS)
        return time.monotonic() - started

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.send(signal.SIGTERM)

    def call(self, method: str, **request: Any) -> dict[str, Any]:
        """A method of the API with the demo tenant's key, again while the platform is away."""
        answers: list[httpx.Response] = []

        def answered() -> bool:
            known = self.description
            headers = {"x-api-key": known["secret_key"]}
            url = f"{known['base_url']}{API}{method}"
            with contextlib.suppress(httpx.TransportError):
                answers[:] = [
                    httpx.post(url, json=request, headers=headers, timeout=30, trust_env=False)
                ]
            return bool(answers) and answers[0].status_code != 503

        wait_until(answered, READY_SECONDS)
        assert answers[0].is_success, answers[0].text
        return answers[0].json()

    def answered(self, conversation_key: str, messages: int) -> list[dict[str, Any]]:
        """Wait until a thread is idle with that many messages; the messages."""

        def idle() -> bool:
            state = self.call("conversation-state", conversationKey=conversation_key)
            return state["status"] == "IDLE" and len(state["messages"]) >= messages

        assert wait_until(idle, READY_SECONDS)
        return self.call("conversation-state", conversationKey=conversation_key)["messages"]


def members(groups: Mapping[str, int]) -> list[int]:
    """The processes that live in these process groups; a zombie does not live."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = status.read_text().rsplit(")", 1)[1].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(group) in groups.values() and state != "Z":
            found.append(int(status.parent.name))
    return found


def resident_megabytes(pids: list[int]) -> float:
    """The memory that the processes hold, shared pages counted in each."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1000


def taken(data: Path) -> list[int]:
    """Which of the ports that a stack remembers somebody listens on."""
    ports: dict[str, int] = json.loads((data / "ports.json").read_text())
    return [port for port in ports.values() if not port_is_free(port)]
