"""The real OpenFGA server as a child process: who may do what with things that are shared.

`make openfga` builds it into the project's cache where Go is present; one on the PATH is taken
first. Where neither is, a stack runs without it, and sharing answers `openfga.not_configured`.
"""

import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devstack.processes import Command, Process, ProcessError, free_port

CACHE = Path(__file__).parents[1] / ".cache" / "openfga"
MISSING = (
    "Sharing is off, because the OpenFGA server is not installed; "
    "`make openfga` builds it where Go is present."
)


def binary() -> Path | None:
    """Where the server is: on the PATH, else in the project's cache."""
    found = shutil.which("openfga")
    if found is not None:
        return Path(found)
    return next(iter(sorted(CACHE.glob("openfga-*"), reverse=True)), None)


def version() -> str:
    """What the server says it is; empty when it is not there or says nothing."""
    program = binary()
    if program is None:
        return ""
    said = subprocess.run((program, "version"), capture_output=True, text=True, check=False)
    words = (said.stdout + said.stderr).replace("`", " ").split()
    return next((word for word in words if word.lstrip("v")[:1].isdigit() and "." in word), "")


@dataclass(frozen=True)
class OpenFgaOptions:
    """How one server runs."""

    data_path: Path
    log_path: Path
    port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    inherited: tuple[int, ...] = ()


class OpenFgaServer:
    """A server that can be killed and started again on the same data and ports."""

    def __init__(self, options: OpenFgaOptions) -> None:
        """Nothing runs before `start`."""
        program = binary()
        if program is None:
            raise ProcessError(MISSING)
        self._program = program
        self._options = options
        self.url = f"http://127.0.0.1:{options.port}"
        self.process = Process(
            Command(
                "openfga",
                (str(program), "run"),
                options.log_path,
                self._environment(),
                (options.port, options.grpc_port),
                options.inherited,
            )
        )

    @property
    def settings(self) -> dict[str, str]:
        """The settings by which the platform finds it."""
        return {"OPENFGA_API_URL": self.url, "OPENFGA_API_TOKEN": self._options.token}

    def answers(self) -> bool:
        """Whether it takes calls now."""
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version. It must not be running."""
        self._options.data_path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            (self._program, "migrate"),
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ProcessError(f"OpenFGA's tables cannot be made: {done.stderr.strip()}")

    def _environment(self) -> dict[str, str]:
        database = self._options.data_path / "openfga.db"
        pragmas = "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"
        return {
            "OPENFGA_DATASTORE_ENGINE": "sqlite",
            "OPENFGA_DATASTORE_URI": f"file:{database}?{pragmas}",
            # It would listen everywhere.
            "OPENFGA_HTTP_ADDR": f"127.0.0.1:{self._options.port}",
            "OPENFGA_GRPC_ADDR": f"127.0.0.1:{self._options.grpc_port}",
            "OPENFGA_PLAYGROUND_ENABLED": "false",
            "OPENFGA_METRICS_ENABLED": "false",
            "OPENFGA_AUTHN_METHOD": "preshared",
            # In the environment, because everybody can read the arguments of a process.
            "OPENFGA_AUTHN_PRESHARED_KEYS": self._options.token,
            "OPENFGA_LOG_LEVEL": "warn",
            "OPENFGA_LOG_FORMAT": "json",
        }
