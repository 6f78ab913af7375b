"""Where a client may call the platform: the edge itself, or a real KrakenD in front of it."""

import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.processes import Command, Process, accepts_connections, free_port
from tests.support.repository import ROOT

START_SECONDS = 30


@dataclass(frozen=True)
class Front:
    """An address, and a key to call it with."""

    url: str
    key: str
    is_edge: bool


def krakend_binary() -> str | None:
    """The real gateway: what KRAKEND_BIN names, else what is on the PATH."""
    return os.environ.get("KRAKEND_BIN") or shutil.which("krakend")


@contextmanager
def running_krakend(binary: str, edge_url: str) -> Generator[str]:
    """The address of a KrakenD that runs our file, with this edge behind it."""
    port = free_port()
    config: dict[str, Any] = json.loads((ROOT / "krakend/krakend.json").read_text())
    config |= {"port": port, "listen_ip": "127.0.0.1", "host": [edge_url]}
    # Its metrics have a port of their own, which two runs at a time would share.
    del config["extra_config"]["telemetry/opentelemetry"]
    for endpoint in config["endpoints"]:
        endpoint["backend"][0]["host"] = [edge_url]
    with tempfile.TemporaryDirectory(prefix="yocaso-krakend-") as folder:
        path = Path(folder) / "krakend.json"
        path.write_text(json.dumps(config))
        command = (binary, "run", "--config", str(path))
        process = Process(Command("krakend", command, Path(folder) / "log", ports=(port,)))
        process.start()
        try:
            process.wait_ready(lambda: accepts_connections(port), START_SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()
