"""Restate, the probe's handlers and an edge, each a process of its own that may be killed."""

import json
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from devstack.keys import MEMBER_SCOPES, SecretKey
from devstack.processes import Command, Process, accepts_connections, free_port
from devstack.restate import RestateOptions, RestateServer

START_SECONDS = 30
_ALL = (*MEMBER_SCOPES, "users:impersonate")


class ProbeStack:
    """The probe behind an edge, with keys of two tenants."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.alice = SecretKey(tenant_id="acme", user_id="alice", scopes=_ALL)
        self.bob = SecretKey(tenant_id="acme", user_id="bob")
        self.carol = SecretKey(tenant_id="globex", user_id="carol")
        self.reader = SecretKey(tenant_id="acme", user_id="ron", scopes=("conversations:read",))
        self._folder = folder
        self._http = httpx.Client(timeout=10, trust_env=False, verify=False)
        self._environment = dict(environment)
        self.restate = RestateServer(
            RestateOptions(folder / "restate", folder / "restate.log", fsync=False)
        )
        self.handlers_port, self.edge_port, self.private_port = (free_port() for _ in range(3))
        self.handlers = self._server("handlers", self.handlers_port, "asginl", "2")
        self.edge = self._server("edge", self.edge_port, "asgi", "1")
        self.base_url = f"http://127.0.0.1:{self.edge_port}"
        self.private_url = f"http://127.0.0.1:{self.private_port}"

    def start(self) -> None:
        """Start all three and register the handlers."""
        self.restate.start()
        self.handlers.start()
        self.edge.start()
        self.restate.wait_ready(START_SECONDS)
        self.wait(self.handlers, self.handlers_port)
        self.wait(self.edge, self.edge_port)
        self.restate.register(f"http://127.0.0.1:{self.handlers_port}")

    def wait(self, process: Process, port: int) -> None:
        """Wait until a process listens."""
        process.wait_ready(lambda: accepts_connections(port), START_SECONDS)

    def stop(self) -> None:
        """End everything. The SDK takes SIGTERM from the handlers' server, so those are killed."""
        self._http.close()
        self.edge.stop()
        self.restate.close()
        self.handlers.kill()

    def forwarded(self) -> float:
        """How many requests the edge has sent to the ingress since it started."""
        return self.metric("edge_ingress_requests_total")

    def metric(self, name: str) -> float:
        """One sample of the edge's metrics, by its name with labels; 0 before the first."""
        for line in self._http.get(f"{self.private_url}/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        return 0.0

    def _server(self, name: str, port: int, interface: str, http: str) -> Process:
        keys = (self.alice, self.bob, self.carol, self.reader)
        settings = {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONUNBUFFERED": "1",
            "RESTATE_INGRESS_URL": self.restate.ingress_url,
            "HANDLERS_URL": f"http://127.0.0.1:{self.handlers_port}",
            "EDGE_SECRET_KEYS": json.dumps([key.setting() for key in keys]),
            "EDGE_PRIVATE_PORT": str(self.private_port),
            "EDGE_REQUESTS_PER_MINUTE": "10000000",
            "EDGE_REFUSED_CREDENTIALS_PER_MINUTE": "10000000",
            **self._environment,
        }
        command = (
            sys.executable, "-m", "granian", "--interface", interface, "--http", http,
            "--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--no-access-log",
            "--workers-kill-timeout", "10", "--factory", f"tests.support.probe_servers:{name}",
        )  # fmt: skip
        ports = (port, self.private_port) if name == "edge" else (port,)
        return Process(Command(name, command, self._folder / f"{name}.log", settings, ports))


@contextmanager
def probe_stack(environment: Mapping[str, str] | None = None) -> Generator[ProbeStack]:
    """A running probe stack in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="yocaso-probe-", ignore_cleanup_errors=True) as folder:
        stack = ProbeStack(Path(folder), environment or {})
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
