"""The directory in which a development stack keeps what must survive its end.

    yocaso.json   marks the directory as ours: format, and the version of Restate that wrote it
    owner.lock    held by the one stack that runs here; its text is the process id
    parts.lock    held by all that it has started, until the last of them has ended
    secret-key    the demo tenant's key (0600); settings of processes know its hash alone
    sealing-key   opens the secrets that users entrusted to this stack (0600)
    ports.json    which port each part listens on; Restate calls runs in flight at the old ones
    stack.json    addresses and process ids of the stack that runs now (0600)
    restate/, logs/, issuer.pem

`open` refuses what it does not know rather than to guess: a directory with other files, one of
another format, one of a newer Restate, one that is in use. Every refusal is a ProcessError whose
text says what to do.
"""

import errno
import fcntl
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstack.keys import MEMBER_SCOPES, SecretKey, new_sealing_key
from devstack.processes import ProcessError, wait_until

FORMAT = 1
# Restate alone preallocates some 220 MB of logs.
NEEDED_BYTES = 500_000_000
# How long the remains of a stack that was killed may take to end.
REMAINS_SECONDS = 10
_MOMENT_SECONDS = 0.3


def default_path() -> Path:
    """`.data` of the checkout this code is in, else of the current folder."""
    root = Path(__file__).parents[1]
    return (root if (root / "pyproject.toml").exists() else Path()) / ".data"


def stack_in(path: Path) -> dict[str, Any]:
    """What the stack that runs in a data directory says about itself; empty when none runs."""
    try:
        descriptor = os.open(path / "owner.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        # A stack that was killed leaves its file behind, but not its lock.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path / "stack.json")
    finally:
        os.close(descriptor)
    return {}


class DataDirectory:
    """One directory; `open` before use, `close` at the end."""

    def __init__(self, path: Path, *, needed_bytes: int = NEEDED_BYTES) -> None:
        """Nothing is touched before `open`. `needed_bytes`: free space without which it refuses."""
        self.path = path.absolute()
        self.new = False
        self._needed_bytes = needed_bytes
        self._locks: dict[str, int] = {}

    def open(self, restate_version: str) -> None:
        """Make the directory, or take it when it is ours and nobody uses it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            marker = self._check_marker(restate_version)
            self._take_locks()
            self._check_space()
            if marker.get("restate") != restate_version:
                self._write("yocaso.json", {"format": FORMAT, "restate": restate_version})
        except OSError as error:
            self.close()
            raise ProcessError(_os_error(self.path, error)) from error
        except ProcessError:
            self.close()
            raise

    def close(self) -> None:
        """Give the directory up; what was started holds its own lock until it has ended."""
        for lock in self._locks.values():
            os.close(lock)
        self._locks = {}

    @property
    def inherited(self) -> tuple[int, ...]:
        """File descriptors that everything started here inherits."""
        return (self._locks["parts.lock"],)

    def secret_key(self) -> SecretKey:
        """The demo tenant's key, made when there is none."""
        path = self.path / "secret-key"
        if path.exists():
            return demo_key(path.read_text().strip())
        key = demo_key()
        self._write_text("secret-key", key.key + "\n")
        return key

    def ports(self) -> dict[str, int]:
        """The ports of the last start."""
        return _read(self.path / "ports.json")

    def keep_ports(self, ports: dict[str, int]) -> None:
        """Remember the ports for the next start."""
        if ports != self.ports():
            self._write("ports.json", ports)

    def publish(self, stack: dict[str, Any]) -> None:
        """Tell other commands about the running stack."""
        self._write("stack.json", stack)

    def retract(self) -> None:
        """The stack runs no more."""
        (self.path / "stack.json").unlink(missing_ok=True)

    def _check_marker(self, restate_version: str) -> dict[str, Any]:
        others = [name for name in os.listdir(self.path) if not name.endswith(".lock")]
        marker = _read(self.path / "yocaso.json")
        if others and not marker:
            raise ProcessError(
                f"{self.path} has files in it that are not of `yocaso dev`. "
                "Name an empty or new directory with --data."
            )
        if others and marker.get("format") != FORMAT:
            raise ProcessError(
                f"{self.path} was written by another version of `yocaso dev`, whose data this one "
                "cannot read. Move it away, or name another directory with --data."
            )
        written_by = str(marker.get("restate", ""))
        if _version(written_by) > _version(restate_version) > ():
            raise ProcessError(
                f"{self.path} was written by Restate {written_by}, and {restate_version} is "
                "installed, which cannot read it. `make setup` installs the newer one; or name "
                "another directory with --data."
            )
        self.new = not marker
        return marker

    def _take_locks(self) -> None:
        # Who only looks whether a stack runs holds the lock for a moment, too.
        if not wait_until(lambda: self._lock("owner.lock"), _MOMENT_SECONDS):
            owner = (self.path / "owner.lock").read_text()
            raise ProcessError(
                f"A stack runs in {self.path} already (process {owner}). Use that one, stop it "
                f"with `kill {owner}`, or name another directory with --data."
            )
        if not wait_until(lambda: self._lock("parts.lock"), REMAINS_SECONDS):
            raise ProcessError(
                f"Parts of a stack that was killed still run in {self.path}. "
                f"`fuser {self.path}/parts.lock` names them; end them, or name another directory "
                "with --data."
            )
        os.ftruncate(self._locks["owner.lock"], 0)
        os.pwrite(self._locks["owner.lock"], str(os.getpid()).encode(), 0)

    def _lock(self, name: str) -> bool:
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._locks[name] = descriptor
        return True

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < self._needed_bytes:
            raise ProcessError(
                f"The disk of {self.path} has {free // 1_000_000} MB left, and a stack needs "
                f"{self._needed_bytes // 1_000_000} MB. Make room, or name a directory on another "
                "disk with --data."
            )

    def _write(self, name: str, value: dict[str, Any]) -> None:
        self._write_text(name, json.dumps(value, indent=2) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        try:
            write_private(self.path / name, text)
        except OSError as error:
            raise ProcessError(_os_error(self.path / name, error)) from error


def demo_key(key: str | None = None) -> SecretKey:
    """The key of the demo tenant's developer: this one, or a new one."""
    scopes = (*MEMBER_SCOPES, "mcp:manage")
    made = SecretKey(tenant_id="demo", user_id="developer", key_id="key_demo", scopes=scopes)
    return made if key is None else replace(made, key=key)


def sealing_key(path: Path) -> str:
    """The key with which the stack of a data directory keeps secrets, made when there is none."""
    file = path / "sealing-key"
    if not file.exists():
        write_private(file, new_sealing_key() + "\n")
    return file.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, never leaving half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """The object in a file; empty when there is none that can be read."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _os_error(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"The disk of {path} is full. Make room, or name a directory on another disk "
            "with --data."
        )
    return f"{path} cannot be used: {error.strerror}. Name another directory with --data."
