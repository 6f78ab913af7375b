"""Ends the process groups of a parent that could not do it itself.

One small process per parent reads a pipe whose other end the parent holds. Each line names a group
to watch (`+pid`) or to forget (`-pid`). The end of the pipe means that the parent is gone, in
whatever way: then every watched group is killed. The reaper is in its own session, so that what
kills the parent's group leaves it alive.
"""

import atexit
import subprocess
import sys
import threading

_PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
watched = set()
for line in sys.stdin:
    group = int(line[1:])
    watched.add(group) if line[0] == "+" else watched.discard(group)
for group in watched:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""

_lock = threading.Lock()
_watched: set[int] = set()
_reaper: subprocess.Popen[str] | None = None


def watch(group: int) -> None:
    """Kill this process group when the current process is gone."""
    with _lock:
        _watched.add(group)
        _tell([f"+{group}"])


def forget(group: int) -> None:
    """The group has ended; its number may soon belong to somebody else."""
    with _lock:
        _watched.discard(group)
        _tell([f"-{group}"])


def _tell(lines: list[str]) -> None:
    global _reaper
    if _reaper is None or _reaper.poll() is not None:
        _reaper = subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", _PROGRAM),
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        lines = [f"+{group}" for group in _watched]
    assert _reaper.stdin is not None
    _reaper.stdin.writelines(line + "\n" for line in lines)
    _reaper.stdin.flush()


@atexit.register
def _let_go() -> None:
    """Close the pipe in an ordinary exit too: what was not stopped ends now."""
    if _reaper is not None and _reaper.stdin is not None:
        _reaper.stdin.close()
        _reaper.wait()
