"""Child processes: ready when said so, ended with everything they started."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.processes import (
    Command,
    Process,
    ProcessError,
    accepts_connections,
    free_port,
    port_is_free,
    wait_until,
)

LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
IGNORE_TERMINATION = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(600)"
)
PARENT_OF_A_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print(child.pid, flush=True)
time.sleep(600)
"""
PARENT_WITH_PROCESS = """
import sys, time
from pathlib import Path
from devstack.processes import Command, Process
process = Process(Command("p", (sys.executable, "-c", {child!r}), Path({log!r})))
process.start()
print(process.pid, flush=True)
time.sleep(600)
"""
PRINT_SETTING = """
import os, time
print(os.environ.get("RESTATE_BASE_DIR"), flush=True)
time.sleep(600)
"""


def program(path: Path, code: str) -> Process:
    """A Process that runs these lines of Python."""
    return Process(Command("program", (sys.executable, "-c", code), path / "program.log"))


def exists(pid: int) -> bool:
    """Whether a live process has this id; a zombie is not alive."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_killed_process_comes_back_on_its_port(tmp_path: Path) -> None:
    port = free_port()
    process = program(tmp_path, LISTEN.format(port=port))
    for _ in range(2):
        process.start()
        process.wait_ready(lambda: accepts_connections(port), 10)
        process.kill()
        assert not process.running
        assert not accepts_connections(port)


def test_a_kill_reaches_what_the_process_started(tmp_path: Path) -> None:
    process = program(tmp_path, PARENT_OF_A_PARENT)
    process.start()
    process.wait_ready(lambda: process.log_tail() != "", 10)
    grandchild = int(process.log_tail())
    assert exists(grandchild)
    process.kill()
    assert wait_until(lambda: not exists(grandchild), 10)


def test_a_port_that_a_grandchild_held_is_free_after_a_kill(tmp_path: Path) -> None:
    port = free_port()
    code = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {LISTEN.format(port=port)!r}])
time.sleep(600)
"""
    command = Command("program", (sys.executable, "-c", code), tmp_path / "log", ports=(port,))
    process = Process(command)
    for _ in range(5):
        process.start()
        process.wait_ready(lambda: accepts_connections(port), 10)
        process.kill()
        assert port_is_free(port)


def test_nothing_outlives_a_parent_killed_with_9(tmp_path: Path) -> None:
    log = tmp_path / "program.log"
    code = PARENT_WITH_PROCESS.format(child=PARENT_OF_A_PARENT, log=str(log))
    with subprocess.Popen(
        (sys.executable, "-c", code), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert wait_until(lambda: log.exists() and log.read_text() != "", 10)
        grandchild = int(log.read_text())
        parent.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not exists(child) and not exists(grandchild), 10)


def test_an_early_end_is_told_with_its_exit_code_and_log(tmp_path: Path) -> None:
    process = program(tmp_path, "print('no such setting'); raise SystemExit(3)")
    process.start()
    with pytest.raises(ProcessError, match=r"exit code 3(.|\n)*no such setting"):
        process.wait_ready(lambda: False, 10)
    process.kill()


def test_a_missed_deadline_is_told_and_leaves_the_process_to_the_caller(tmp_path: Path) -> None:
    process = program(tmp_path, "import time; time.sleep(600)")
    process.start()
    with pytest.raises(ProcessError, match="within"):
        process.wait_ready(lambda: False, 0.1)
    assert process.running
    process.kill()


def test_a_missing_program_is_told_in_a_sentence(tmp_path: Path) -> None:
    process = Process(Command("program", (str(tmp_path / "absent"),), tmp_path / "log"))
    with pytest.raises(ProcessError, match="cannot be started"):
        process.start()


def test_a_process_deaf_to_termination_is_killed_after_the_deadline(tmp_path: Path) -> None:
    process = program(tmp_path, IGNORE_TERMINATION)
    process.start()
    process.wait_ready(lambda: "deaf" in process.log_tail(), 10)
    pid = process.pid
    assert pid is not None
    assert not process.stop(seconds=0.1)
    assert not exists(pid)


def test_a_willing_process_stops_gracefully(tmp_path: Path) -> None:
    process = program(tmp_path, "import time; print('up', flush=True); time.sleep(600)")
    process.start()
    process.wait_ready(lambda: "up" in process.log_tail(), 10)
    assert process.stop()
    assert process.stop()


def test_a_taken_port_is_refused_before_its_owner_passes_for_ours(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = (sys.executable, "-c", "raise SystemExit")
        process = Process(Command("program", command, tmp_path / "log", ports=(port,)))
        with pytest.raises(ProcessError, match=str(port)):
            process.start()


def test_no_port_is_given_away_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)


def test_settings_of_restate_in_the_shell_do_not_reach_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "RESTATE_BASE_DIR", "/elsewhere")
    process = program(tmp_path, PRINT_SETTING)
    process.start()
    process.wait_ready(lambda: process.log_tail() != "", 10)
    process.kill()
    assert process.log_tail() == "None"
