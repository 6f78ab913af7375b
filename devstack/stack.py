"""The whole platform on loopback: Restate, the handlers, the edge, the local cloud, OpenFGA.

Owns the wiring between the processes (ports, addresses, keys) and the order in which they become
ready; `processes.py` knows how to run one. Ports and data stay the same over a kill and a start, so
runs in flight go on. Ready means that a call of a client has come back through all of it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from devstack.data_directory import sealing_key
from devstack.firebase import key_file
from devstack.keys import AUDIENCE, LOCAL_MODEL_ID, SecretKey
from devstack.openfga import OpenFgaOptions, OpenFgaServer
from devstack.processes import (
    Command,
    Process,
    ProcessError,
    accepts_connections,
    free_port,
    inherited_environment,
    wait_until,
)
from devstack.restate import RestateOptions, RestateServer

HANDLERS, EDGE, CLOUD, RESTATE = "handlers", "edge", "local-cloud", "restate"
LOCAL_MODEL, OPENFGA = "local-model", "openfga"
INGRESS_PORT, ADMIN_PORT, NODE_PORT = "restate-ingress", "restate-admin", "restate-node"
PRIVATE_PORT, OPENFGA_GRPC_PORT = "edge-private", "openfga-grpc"
PORT_NAMES = (
    HANDLERS, EDGE, PRIVATE_PORT, CLOUD, LOCAL_MODEL, INGRESS_PORT, ADMIN_PORT, NODE_PORT,
    OPENFGA, OPENFGA_GRPC_PORT,
)  # fmt: skip
START_SECONDS = 30
# Together less than ten seconds, which is how long whoever stops us should have to wait.
STOP_SECONDS = {
    EDGE: 3.0, HANDLERS: 2.0, CLOUD: 1.0, LOCAL_MODEL: 0.5, OPENFGA: 0.5, RESTATE: 2.5,
}  # fmt: skip


@dataclass(frozen=True)
class StackOptions:
    """How one stack runs. The defaults are those of development."""

    data_path: Path
    keys: tuple[SecretKey, ...]
    fsync: bool = True
    force_replay: bool = False
    """Suspend every handler at every await: each step then runs from the journal."""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """More settings of the handlers and the edge; they win over the stack's own, empty ones
    count as not set."""
    concurrent_invocations: int = 10_000
    """Restate's limit; every run that streams holds one, and so does each call."""
    restate: Mapping[str, str] = field(default_factory=dict[str, str])
    """More `RESTATE_...` settings of the server."""
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    """Ports to use, by name (`Stack.ports`); the others are chosen."""
    handlers_were_at: int | None = None
    """The port where the data know the handlers, when it is another one now."""
    inherited: tuple[int, ...] = ()
    """File descriptors that stay open in every process."""
    local_model: bool = False
    """Run the local model, which the local cloud then offers beside the scripted ones."""
    openfga: bool = False
    """Run the OpenFGA server, without which nothing can be shared."""
    platform: str = "app"
    """The module whose `handlers` and `edge` commands are run: the platform, or one beside it."""
    cloud: str = "devstack.cloud"
    """The module that is the local cloud: OpenRouter is below `/openrouter` of its port."""


class Stack:
    """Four to six processes that know each other."""

    def __init__(self, options: StackOptions) -> None:
        """Choose ports; nothing runs before `start`."""
        self.options = options
        self.ports = {name: options.ports.get(name) or free_port() for name in PORT_NAMES}
        # Not in the data directory: the path of a unix socket has room for about 100 bytes.
        self._socket_path = Path(tempfile.mkdtemp(prefix="yocaso-"))
        self.base_url = self._url(EDGE)
        self.private_url = self._url(PRIVATE_PORT)
        self.cloud_url = self._url(CLOUD)
        self.openrouter_url = f"{self.cloud_url}/openrouter"
        self.issuer_url = f"{self.cloud_url}/issuer"
        self.firebase_url = f"{self.cloud_url}/firebase"
        self.handlers_url = self._url(HANDLERS)
        self.restate = RestateServer(self._restate_options())
        self.openfga = OpenFgaServer(self._openfga_options()) if options.openfga else None
        self._http = httpx.Client(timeout=30, trust_env=False)
        self.processes = {
            RESTATE: self.restate.process,
            CLOUD: self._python(CLOUD, options.cloud),
            HANDLERS: self._python(HANDLERS, options.platform, "handlers"),
            EDGE: self._python(EDGE, options.platform, "edge"),
        }
        if options.local_model:
            self.processes[LOCAL_MODEL] = self._python(LOCAL_MODEL, "devstack.local_model")
        if self.openfga is not None:
            self.processes[OPENFGA] = self.openfga.process

    def start(self, tell: Callable[[str], None] = lambda _name: None) -> None:
        """Start everything at once and wait until a call goes through; stops all on failure.

        `tell` hears the name of each process that is ready, `handlers` when they are registered.
        """
        try:
            if self.openfga is not None:
                self.openfga.migrate()
            for process in self.processes.values():
                process.start()
            for name in self.processes:
                self.wait_ready(name)
                tell(name)
            self._register()
            if self.openfga is not None:
                self._prepare_authorization()
            self._wait_answered()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every process, those that face clients first, and remove the socket's folder."""
        self._http.close()
        self.processes[EDGE].stop(STOP_SECONDS[EDGE])
        others = [name for name in self.processes if name not in (EDGE, RESTATE)]
        for name in others:
            self.processes[name].terminate()
        for name in others:
            self.processes[name].stop(STOP_SECONDS[name])
        self.restate.close(STOP_SECONDS[RESTATE])
        shutil.rmtree(self._socket_path, ignore_errors=True)

    def kill_all(self) -> None:
        """Kill every process at once."""
        for process in self.processes.values():
            process.kill()
        self.stop()

    def kill(self, name: str) -> None:
        """Kill one process and all it has started with signal 9."""
        self.processes[name].kill()

    def start_again(self, name: str) -> None:
        """Start a killed process on its old port and data, and wait until it is ready."""
        self.processes[name].start()
        self.wait_ready(name)

    def another_edge(self) -> tuple[Process, str]:
        """One more edge of the same platform, not started, and its address; the caller stops it."""
        port, private = free_port(), free_port()
        command = self.processes[EDGE].command
        return (
            Process(
                replace(
                    command,
                    arguments=(*command.arguments[:-1], str(port)),
                    environment={**command.environment, "EDGE_PRIVATE_PORT": str(private)},
                    log_path=self._log_path(f"{EDGE}-{port}"),
                    ports=(port, private),
                )
            ),
            f"http://127.0.0.1:{port}",
        )

    def wait_ready(self, name: str) -> None:
        """Wait until the process answers in its own way."""
        process = self.processes[name]
        if name == RESTATE:
            self.restate.wait_ready(START_SECONDS)
        elif name == EDGE:
            process.wait_ready(lambda: self.is_there(f"{self.base_url}/healthz"), START_SECONDS)
        elif name == LOCAL_MODEL:
            # Its port accepts while the weights are still being read.
            url = f"{self._url(LOCAL_MODEL)}/health"
            process.wait_ready(lambda: self.is_there(url), START_SECONDS)
        elif name == OPENFGA:
            assert self.openfga is not None, "it is among the processes"
            process.wait_ready(self.openfga.answers, START_SECONDS)
        else:
            port = self.ports[name]
            process.wait_ready(lambda: accepts_connections(port), START_SECONDS)

    def _register(self) -> None:
        were_at = self.options.handlers_were_at
        if were_at is not None:
            self.restate.move(f"http://127.0.0.1:{were_at}", self.handlers_url)
        self.restate.register(self.handlers_url)

    def _prepare_authorization(self) -> None:
        done = subprocess.run(
            (sys.executable, "-m", "app", "authorization"),
            env=inherited_environment() | self._settings(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ProcessError(f"Sharing cannot be prepared: {done.stderr.strip()}")

    def _wait_answered(self) -> None:
        if not wait_until(self._answers, START_SECONDS):
            log = self.processes[EDGE].log_tail()
            raise ProcessError(f"No call came through the stack. The end of the edge's log:\n{log}")

    def _answers(self) -> bool:
        try:
            answer = self._http.post(
                f"{self.base_url}/api/v1/llm/gateway/list-threads",
                json={},
                headers={"x-api-key": self.options.keys[0].key},
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

    def is_there(self, url: str) -> bool:
        """Whether something answers there with success."""
        try:
            return self._http.get(url).is_success
        except httpx.HTTPError:
            return False

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _log_path(self, name: str) -> Path:
        return self.options.data_path / "logs" / f"{name}.log"

    def _python(self, name: str, module: str, *arguments: str) -> Process:
        port = self.ports[name]
        ports = (port, self.ports[PRIVATE_PORT]) if name == EDGE else (port,)
        command = (sys.executable, "-m", module, *arguments, "--port", str(port))
        return Process(
            Command(
                name,
                command,
                self._log_path(name),
                self._settings(),
                ports,
                inherited=self.options.inherited,
            )
        )

    def _settings(self) -> dict[str, str]:
        # Made here, because the handlers read it when they start, at the same time as its maker.
        service_account = str(key_file.kept(self.options.data_path / "service-account.json"))
        settings = {
            "PYTHONUNBUFFERED": "1",
            # Where it is set, every start would compile every module again: it doubles the work.
            "PYTHONDONTWRITEBYTECODE": "",
            "RESTATE_INGRESS_URL": self.restate.ingress_url,
            "RESTATE_ADMIN_URL": self.restate.admin_url,
            "HANDLERS_URL": self.handlers_url,
            "EDGE_SECRET_KEYS": json.dumps([key.setting() for key in self.options.keys]),
            "EDGE_PRIVATE_PORT": str(self.ports[PRIVATE_PORT]),
            "OUTGOING_ALLOWED_HOSTS": '["127.0.0.1"]',
            "SECRETS_KEYS": json.dumps([sealing_key(self.options.data_path)]),
            "BUS_PATH": str(self._socket_path / "bus"),
            "CHASSIS_PRELOAD_STATE": "1",
            "OPENROUTER_BASE_URL": f"{self.openrouter_url}/api/v1",
            "OPENROUTER_API_KEY": "sk-or-local",
            "EDGE_JWT_ISSUER": self.issuer_url,
            "EDGE_JWT_AUDIENCE": AUDIENCE,
            "EDGE_JWT_JWKS_URI": f"{self.issuer_url}/jwks",
            "FIREBASE_SERVICE_ACCOUNT_FILE": service_account,
            "FIREBASE_IDENTITY_URL": self.firebase_url,
            "FIREBASE_TOKEN_URL": f"{self.firebase_url}/token",
            "LOCAL_CLOUD_ISSUER_KEY": str(self.options.data_path / "issuer.pem"),
            "LOCAL_CLOUD_SERVICE_ACCOUNT": service_account,
            "LOCAL_CLOUD_ACCOUNTS": str(self.options.data_path / "firebase-accounts.json"),
        }
        if self.options.local_model:
            settings["LOCAL_CLOUD_MODEL_URL"] = self._url(LOCAL_MODEL)
            settings["CONVERSATION_DEFAULT_MODEL"] = LOCAL_MODEL_ID
        if self.openfga is not None:
            settings |= self.openfga.settings
        if self.options.force_replay:
            settings["CHASSIS_FORCE_REPLAY"] = "1"
        return settings | self.options.environment

    def _openfga_options(self) -> OpenFgaOptions:
        return OpenFgaOptions(
            data_path=self.options.data_path / "openfga",
            log_path=self._log_path(OPENFGA),
            port=self.ports[OPENFGA],
            grpc_port=self.ports[OPENFGA_GRPC_PORT],
            inherited=self.options.inherited,
        )

    def _restate_options(self) -> RestateOptions:
        return RestateOptions(
            data_path=self.options.data_path / "restate",
            log_path=self._log_path(RESTATE),
            ingress_port=self.ports[INGRESS_PORT],
            admin_port=self.ports[ADMIN_PORT],
            node_port=self.ports[NODE_PORT],
            fsync=self.options.fsync,
            inherited=self.options.inherited,
            concurrent_invocations=self.options.concurrent_invocations,
            inactivity_timeout="0s" if self.options.force_replay else None,
            extra=dict(self.options.restate),
        )
