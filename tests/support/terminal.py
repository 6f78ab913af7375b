"""A program at a terminal: type, press keys, and wait for what the screen shows."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from types import TracebackType

from tests.support.dev import YOCASO, environment

CTRL_C, CTRL_D = "\x03", "\x04"
SECONDS = 30


class Terminal:
    """`yocaso` with these arguments; what it writes collects in `shown`."""

    def __init__(self, *arguments: str) -> None:
        self.shown = ""
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            (*YOCASO, *arguments),
            env=environment(TERM="dumb", NO_COLOR="1"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # The terminal must be the controlling one, or Ctrl-C is a byte like any other.
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def press(self, key: str, heard: Callable[[], bool]) -> None:
        """Press a key at the prompt, and again after a while when nothing came of it: a Ctrl-C in
        the instant before Python waits for the line is noticed with the next key only."""
        deadline = time.monotonic() + SECONDS
        while not heard():
            assert time.monotonic() < deadline, f"nothing came of it: {self.shown!r}"
            self.type(key)
            patience = time.monotonic() + 5
            while not heard() and time.monotonic() < patience:
                self._read()

    @property
    def runs(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def say(self, line: str) -> None:
        """Type a line at the prompt."""
        self.type(line + "\r")

    def wait_for(self, text: str) -> None:
        """Wait until the screen has shown this since the last wait, and forget what was before."""
        deadline = time.monotonic() + SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown; but: {self.shown!r}"
            self._read()
        self.shown = self.shown.partition(text)[2]

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.shown!r}"
            self._read()
        return self._process.returncode

    def _read(self) -> None:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if not ready:
            return
        try:
            self.shown += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # the other end is closed: the program has ended
            time.sleep(0.05)
