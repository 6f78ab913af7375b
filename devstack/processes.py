"""Child processes that are ready when we say so and gone when we are.

A `Process` is one program on loopback with a log file and its own process group, so that a kill
reaches what the program itself has started. It can be killed, stopped and started again with the
same arguments. `reaper.py` ends the groups of a parent that was killed with -9: the kernel's
parent-death signal is tied to the thread that forked and does not reach grandchildren.

Everything here blocks; asynchronous callers use a worker thread.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack import reaper

POLL_SECONDS = 0.02
PORT_RELEASE_SECONDS = 5
# Below the range from which the kernel takes ports for outgoing connections (32768 and up on
# Linux, 49152 elsewhere): a port of a killed server stays free until it is started again.
_PORTS = range(15_000, 32_000)
_handed_out: set[int] = set()


class ProcessError(Exception):
    """A process did not do what was asked. The text is a sentence for a person."""


@dataclass(frozen=True)
class Command:
    """How to run one program."""

    name: str
    arguments: tuple[str, ...]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to the environment that every child inherits (`inherited_environment`)."""
    ports: tuple[int, ...] = ()
    """Where it listens on loopback: `start` refuses a taken port, whose owner would pass for it."""
    inherited: tuple[int, ...] = ()
    """File descriptors that stay open in the program."""


def inherited_environment() -> dict[str, str]:
    """This process's environment without settings that would change Restate behind our back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RESTATE_")}


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on and that this process has not given away before."""
    for port in random.sample(_PORTS, 200):
        if port not in _handed_out and port_is_free(port):
            _handed_out.add(port)
            return port
    raise ProcessError("No free port was found on 127.0.0.1.")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition holds; false when it did not within that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def accepts_connections(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens on the port."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


class Process:
    """One program, started at most once at a time."""

    def __init__(self, command: Command) -> None:
        """Nothing runs before `start`."""
        self.command = command
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The name that error sentences and tests use."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the program has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start the program in its own group; its output is appended to the log file."""
        if self.running:
            raise ProcessError(f"{self.name} is running already.")
        command = self.command
        if taken := self._taken_ports():
            raise ProcessError(f"{self.name} needs port {taken[0]}, where another program listens.")
        command.log_path.parent.mkdir(parents=True, exist_ok=True)
        with command.log_path.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    command.arguments,
                    env=inherited_environment() | dict(command.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=command.inherited,
                )
            except OSError as error:
                program = command.arguments[0]
                raise ProcessError(
                    f"{self.name} cannot be started: {program} {error.strerror}."
                ) from error
        reaper.watch(self._child.pid)

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`; a ProcessError tells of an early end or a missed deadline."""
        if wait_until(lambda: not self.running or ready(), seconds):
            if self.running:
                return
            raise self._failure(f"ended with {self.ending()} before it was ready")
        raise self._failure(f"was not ready within {seconds:g} s")

    def kill(self) -> None:
        """End the whole group at once, as a crash would."""
        self._end_group()

    def terminate(self) -> None:
        """Ask the program to end, without waiting for it."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()

    def stop(self, seconds: float = 10) -> bool:
        """Ask the program to end; past the deadline its group is killed and the answer is false."""
        child = self._child
        if child is None:
            return True
        self.terminate()
        graceful = wait_until(lambda: child.poll() is not None, seconds)
        self._end_group()
        return graceful

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log file."""
        if not self.command.log_path.exists():
            return ""
        text = self.command.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _end_group(self) -> None:
        child = self._child
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):  # the group may be empty already
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        # What the program had started dies a moment later and holds the ports until then.
        wait_until(lambda: not self._taken_ports(), PORT_RELEASE_SECONDS)
        reaper.forget(child.pid)
        self._child = None

    def _taken_ports(self) -> list[int]:
        return [port for port in self.command.ports if not port_is_free(port)]

    def ending(self) -> str:
        """How it ended: its exit code or the signal."""
        code = self._child.returncode if self._child is not None else 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _failure(self, what: str) -> ProcessError:
        tail = self.log_tail()
        log = f" The end of {self.command.log_path}:\n{tail}" if tail else ""
        return ProcessError(f"{self.name} {what}.{log}")
