"""Builds and runs images without a Docker engine: buildah, podman and runc, as root.

Images and their layers live below `.cache/images` and not in the machine's own store, so
`make clean` removes them. What differs from an engine with a daemon:

- There is nothing that runs health checks, so `Engine.watch_health` does while it is open.
- Builds run in a chroot with the host's network; the host's certificates are lent to pip.
"""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.processes import wait_until

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "images"
TOOLS = ("buildah", "podman", "runc", "mmdebstrap")
# crun and systemd cannot be expected where this runs, so runc and files do.
_CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/store"\nrunroot = "{0}/run"\n'
_HEALTH_PAUSE_SECONDS = 0.5
_BUILD_SECONDS = 900


def missing_tools() -> list[str]:
    """The programs that have to be installed first."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class Engine:
    """One store of images and what runs from it."""

    def __init__(self, path: Path = CACHE) -> None:
        """Use the folder; it is made if absent."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        (path / "containers.conf").write_text(_CONTAINERS)
        (path / "storage.conf").write_text(_STORAGE.format(path))
        (path / "pip.conf").write_text("[global]\ncert = /etc/lent-certificates.pem\n")
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(path / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(path / "storage.conf"),
        }

    def run(
        self, *command: str, check: bool = True, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run buildah or podman, and tell what it said when it fails."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done

    def build(self, tag: str, context: Path, *options: str, base: str) -> None:
        """Build an image on a base."""
        command = ("buildah", "build", "--isolation", "chroot", "--network", "host")
        # Docker's own format, because the other has no HEALTHCHECK; one time for every file.
        form = ("--format", "docker", "--timestamp", "0", "--pull-never", *self._certificates())
        self.run(
            *(*command, *form, "--build-arg", f"BASE={base}", "--tag", tag, *options, str(context)),
            seconds=_BUILD_SECONDS,
        )

    def has_image(self, tag: str) -> bool:
        """Whether the image is in the store."""
        return self.run("podman", "image", "exists", tag, check=False).returncode == 0

    def content(self, tag: str) -> str:
        """The hashes of the image's layers, and how it runs."""
        what = "{{json .RootFS}} {{json .Config}}"
        return self.run("podman", "image", "inspect", "--format", what, tag).stdout

    def size(self, tag: str) -> int:
        """The image's size in bytes, with the base's."""
        size = self.run("podman", "image", "inspect", "--format", "{{.Size}}", tag).stdout
        return int(size)

    def healthy(self, container: str) -> bool:
        """Run the container's health check once."""
        check = self.run("podman", "healthcheck", "run", container, check=False)
        return check.returncode == 0

    @contextmanager
    def watch_health(self) -> Generator[None]:
        """Run the health checks of all containers again and again, as a daemon would."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_HEALTH_PAUSE_SECONDS):
                for container in self.run("podman", "ps", "--quiet", check=False).stdout.split():
                    self.healthy(container)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def docker_socket(self) -> Generator[Mapping[str, str]]:
        """Podman under Docker's interface, and the environment in which its client finds it."""
        socket = self.path / "docker.sock"
        socket.unlink(missing_ok=True)
        command = ("podman", "system", "service", "--time", "0", f"unix://{socket}")
        with (self.path / "service.log").open("wb") as log:
            service = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            if not wait_until(socket.is_socket, 30):
                raise RuntimeError("podman system service does not start.")
            yield self.environment | {"DOCKER_HOST": f"unix://{socket}"}
        finally:
            service.terminate()
            service.wait()
            with contextlib.suppress(FileNotFoundError):
                socket.unlink()

    def _certificates(self) -> tuple[str, ...]:
        lent = os.environ.get("PIP_CERT")
        if lent is None:
            return ()
        return (
            *("--volume", f"{lent}:/etc/lent-certificates.pem:ro"),
            *("--volume", f"{self.path / 'pip.conf'}:/etc/pip.conf:ro"),
        )
