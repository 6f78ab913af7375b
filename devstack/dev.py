"""One run of a development stack: choose ports, start, keep alive, stop.

What it says goes through `tell`, and what others need to know into the data directory and the ready
file, which is true from the moment it exists until it is removed.
"""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack import openfga
from devstack.data_directory import DataDirectory, write_private
from devstack.keys import SecretKey
from devstack.model_choice import Model, ModelChoice
from devstack.processes import ProcessError, free_port, port_is_free
from devstack.restate import server_version
from devstack.stack import ADMIN_PORT, EDGE, HANDLERS, PORT_NAMES, Stack, StackOptions
from devstack.supervisor import Supervisor

_LOOK_SECONDS = 0.1
# Where the `restate` command looks unless it is told otherwise.
_USUAL_ADMIN_PORT = 9070
# Requests in flight get this long when the stack is stopped.
_DRAIN_SECONDS = "2"


@dataclass(frozen=True)
class DevOptions:
    """What `yocaso dev` was asked. `port`: 0 takes a free one; None the usual one."""

    data_path: Path
    port: int
    ready_file: Path | None
    choice: ModelChoice


class DevStack:
    """A stack on a data directory, with its demo tenant."""

    def __init__(self, options: DevOptions, tell: Callable[[str], None]) -> None:
        """Nothing is touched before `running`."""
        self.options = options
        self.directory = DataDirectory(options.data_path)
        self._tell = tell

    @contextmanager
    def running(self) -> Generator["RunningDevStack"]:
        """A stack that is ready; stopped, and the directory given up, at the end."""
        version = server_version()
        if self.options.ready_file is not None:
            self.options.ready_file.unlink(missing_ok=True)
        self.directory.open(version)
        try:
            known = self.directory.ports()
            ports = choose_ports(known, self.options.port)
            key = self.directory.secret_key()
            stack = Stack(self._stack_options(ports, known, key))
            self.directory.keep_ports(stack.ports)
            run = RunningDevStack(self, stack, key)
            try:
                run.start(self._tell)
                yield run
            finally:
                run.stop()
        finally:
            self.directory.close()

    def _stack_options(
        self, ports: dict[str, int], known: dict[str, int], key: SecretKey
    ) -> StackOptions:
        were_at = known.get(HANDLERS)
        choice = self.options.choice
        return StackOptions(
            data_path=self.directory.path,
            keys=(key,),
            ports=ports,
            handlers_were_at=were_at if were_at != ports.get(HANDLERS) else None,
            inherited=self.directory.inherited,
            local_model=choice.model is Model.LOCAL,
            openfga=openfga.binary() is not None,
            environment={
                "EDGE_DRAIN_SECONDS": _DRAIN_SECONDS,
                "EDGE_API_PAGE": "true",
                "EDGE_CONSOLE": "true",
                **choice.environment,
            },
        )


class RunningDevStack:
    """A stack that was started by `DevStack.running`."""

    def __init__(self, dev: DevStack, stack: Stack, key: SecretKey) -> None:
        self.directory = dev.directory
        self.stack = stack
        self.key = key
        self._dev = dev
        self._ready = False

    def start(self, tell: Callable[[str], None]) -> None:
        """Start everything; `tell` hears of each part that is ready."""
        started = time.monotonic()
        self.stack.start(lambda name: tell(f"{name:<12} after {time.monotonic() - started:.1f} s"))
        self._ready = True
        self.publish()

    def keep_alive(self, tell: Callable[[str], None]) -> None:
        """Start again what dies, until an exception ends it."""
        supervisor = Supervisor(self.stack, tell, self.publish)
        while True:
            supervisor.look()
            time.sleep(_LOOK_SECONDS)

    def publish(self) -> None:
        """Make the ready file true."""
        self.directory.publish(self.description())
        ready_file = self._dev.options.ready_file
        if ready_file is not None:
            write_private(ready_file, json.dumps(self.description(), indent=2) + "\n")

    def stop(self) -> None:
        """Stop everything and take the ready file away."""
        ready_file = self._dev.options.ready_file
        if self._ready and ready_file is not None:
            ready_file.unlink(missing_ok=True)
        self.directory.retract()
        self.stack.stop()

    def description(self) -> dict[str, Any]:
        """What a client, a test or an operator needs; a process that is down has no pid."""
        return {
            "base_url": self.stack.base_url,
            "secret_key": self.key.key,
            "issuer": self.stack.issuer_url,
            "restate_ingress_url": self.stack.restate.ingress_url,
            "restate_admin_url": self.stack.restate.admin_url,
            "local_cloud_url": self.stack.cloud_url,
            "private_url": self.stack.private_url,
            "handlers_url": self.stack.handlers_url,
            "model": self._dev.options.choice.model,
            "data": str(self.directory.path),
            "pids": {name: process.pid for name, process in self.stack.processes.items()},
        }


def choose_ports(known: dict[str, int], public: int) -> dict[str, int]:
    """The ports of the last start where they are free; `public` 0 means any free one.

    :raises ProcessError: the public port is taken
    """
    ports = {
        name: port for name, port in known.items() if name in PORT_NAMES and port_is_free(port)
    }
    if public:
        if not port_is_free(public):
            raise ProcessError(
                f"Port {public} is in use by another program. Stop that one, or choose another "
                "port with --port (0 takes any free one)."
            )
        ports[EDGE] = public
        if ADMIN_PORT not in ports and port_is_free(_USUAL_ADMIN_PORT):
            ports[ADMIN_PORT] = _USUAL_ADMIN_PORT
    return {name: ports.get(name) or free_port() for name in PORT_NAMES}
