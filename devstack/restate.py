"""The real Restate server as a child process, and the few admin calls that a stack needs.

`make setup` puts the server's native binary into the project's cache. Data live in
`data_path/NODE_NAME`; the node's name is pinned because a changed name is a new, empty store. One
partition halves the server's work on a small machine and is fixed at the first start.

Readiness: the health endpoints answer before the partition has a leader, so `wait_ready` waits for
a SQL query over the partition.
"""

import json
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from devstack.processes import Command, Process, ProcessError, free_port, wait_until

NODE_NAME = "yocaso"
NODE_MODULES = Path(__file__).parents[1] / ".cache" / "node" / "node_modules"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def binary(name: str) -> Path:
    """Where `restate-server` or `restate` is: the project's cache, else the PATH."""
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    package = f"{name}-{platform.system().lower()}-{machine}"
    cached = NODE_MODULES / "@restatedev" / package / "bin" / name
    if cached.exists():
        return cached
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    node = "" if shutil.which("npm") else " It needs Node 20 with npm, which is missing too."
    raise ProcessError(f"The program {name} is not installed. `make setup` installs it.{node}")


def server_version() -> str:
    """The version of the server that `binary` finds; empty when it does not say."""
    package = binary("restate-server").parents[1] / "package.json"
    if package.exists():
        return str(json.loads(package.read_text(encoding="utf-8")).get("version", ""))
    command = (str(binary("restate-server")), "--version")
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next((word for word in said.split() if word[0].isdigit()), "")


@dataclass(frozen=True)
class RestateOptions:
    """How one server runs. The defaults are those of development."""

    data_path: Path
    log_path: Path
    ingress_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    node_port: int = field(default_factory=free_port)
    fsync: bool = True
    """Off for tests: data survive kill -9 but not a power cut."""
    concurrent_invocations: int = 10_000
    """High, because every run that streams holds a slot and gateways need slots too."""
    inactivity_timeout: str | None = None
    """`0s` suspends a handler at every await, so that each step is a replay."""
    memory: str = "64 MB"
    inherited: tuple[int, ...] = ()
    """File descriptors that stay open in the server."""
    extra: dict[str, str] = field(default_factory=dict[str, str])
    """More `RESTATE_...` settings; they win over those above."""

    def environment(self) -> dict[str, str]:
        """The settings in the form that the server reads."""
        settings = {
            "RESTATE_NODE_NAME": NODE_NAME,
            "RESTATE_BASE_DIR": str(self.data_path),
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_INGRESS__BIND_PORT": str(self.ingress_port),
            "RESTATE_ADMIN__BIND_PORT": str(self.admin_port),
            "RESTATE_BIND_PORT": str(self.node_port),
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "RESTATE_DEFAULT_NUM_PARTITIONS": "1",
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": self.memory,
            "RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT": str(
                self.concurrent_invocations
            ),
            # With CHASSIS_PRELOAD_STATE: the head of a thread comes with each call, its pages not.
            "RESTATE_WORKER__INVOKER__EAGER_STATE_SIZE_LIMIT": "32 KiB",
        }
        if not self.fsync:
            settings["RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC"] = "true"
        if self.inactivity_timeout is not None:
            settings["RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT"] = self.inactivity_timeout
        return settings | self.extra


class RestateServer:
    """A server that can be killed and started again on the same data and ports."""

    def __init__(self, options: RestateOptions) -> None:
        """Nothing runs before `start`."""
        self.ingress_url = f"http://127.0.0.1:{options.ingress_port}"
        self.admin_url = f"http://127.0.0.1:{options.admin_port}"
        self.process = Process(
            Command(
                "restate",
                (str(binary("restate-server")),),
                options.log_path,
                options.environment(),
                (options.ingress_port, options.admin_port, options.node_port),
                options.inherited,
            )
        )
        # One client for the life of the object; the loopback never goes through a proxy.
        self._http = httpx.Client(timeout=30, trust_env=False)

    def start(self) -> None:
        """Start the server without waiting for it."""
        self.process.start()

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until the partition has a leader."""
        self.process.wait_ready(self.answers_queries, seconds)

    def close(self, seconds: float = 10) -> None:
        """Stop the server and drop its connections."""
        self._http.close()
        self.process.stop(seconds)

    def answers_queries(self) -> bool:
        """Whether a query over the partition works now."""
        try:
            self.query("SELECT count(1) AS n FROM sys_invocation")
        except ProcessError:
            return False
        return True

    def register(self, handlers_url: str) -> None:
        """Tell Restate where the handlers are.

        With `force`: without it a known address keeps its old handlers and the answer is 200.
        """
        self.post("/deployments", {"uri": handlers_url, "force": True})

    def move(self, old_url: str, handlers_url: str) -> None:
        """Tell Restate that handlers have another address: runs in flight are called there."""
        for deployment in self.deployments():
            if str(deployment.get("uri", "")).rstrip("/") == old_url:
                changes = {"uri": handlers_url, "overwrite": True}
                self._call("PATCH", f"/deployments/{deployment['id']}", changes)

    def deployments(self) -> list[dict[str, Any]]:
        """Every registered version of the handlers (`id`, `uri`, `services`, ...)."""
        return self._call("GET", "/deployments")["deployments"]

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SQL query over Restate's tables (`sys_invocation`, `state`, ...)."""
        return self.post("/query", {"query": sql})["rows"]

    def wait_idle(self, seconds: float = 30) -> bool:
        """Whether every accepted invocation has ended within that many seconds."""
        unfinished = "SELECT id FROM sys_invocation WHERE status <> 'completed' LIMIT 1"
        return wait_until(lambda: not self.query(unfinished), seconds)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call of the admin port, `{}` where it answers nothing; a refusal is a ProcessError."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(
                method, self.admin_url + path, json=body, headers={"accept": "application/json"}
            )
        except httpx.HTTPError as error:
            raise ProcessError(f"Restate's admin port does not answer {path}.") from error
        if answer.is_error:
            raise ProcessError(f"Restate refused {path} with {answer.status_code}: {answer.text}")
        return answer.json() if answer.content else {}
