#!/usr/bin/env python3
"""`krakend run -c FILE`, as far as `compose.yaml` can be seen to work without the real gateway.

It listens on the file's port, answers its health path, and passes each endpoint's listed headers
and body to the endpoint's backend. It says nothing about KrakenD: whether the real gateway takes
the file is for a machine that has it. Standard library only, because it runs in a bare container.
"""

import json
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Gateway(BaseHTTPRequestHandler):
    """One request of a client."""

    protocol_version = "HTTP/1.1"
    endpoints: dict[str, dict[str, Any]]
    health_path: str

    def do_GET(self) -> None:
        """The health path."""
        self._answer(200 if self.path == self.health_path else 404, b"{}")

    def do_HEAD(self) -> None:
        """The health path, for who does not read."""
        self.do_GET()

    def do_POST(self) -> None:
        """Pass an endpoint's request on."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        endpoint = self.endpoints.get(self.path)
        if endpoint is None:
            self._answer(404, b"{}")
            return
        [backend] = endpoint["backend"]
        given = {name: self.headers[name] for name in endpoint["input_headers"]}
        headers = {name: value for name, value in given.items() if value is not None}
        headers["X-Forwarded-For"] = self.client_address[0]
        url = backend["host"][0] + backend["url_pattern"]
        request = urllib.request.Request(url, body, headers, method=backend["method"])  # noqa: S310 (from our file)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                self._answer(answer.status, answer.read())
        except urllib.error.HTTPError as refusal:
            self._answer(refusal.code, refusal.read())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main() -> None:
    """Serve until killed."""
    config = json.loads(Path(sys.argv[sys.argv.index("-c") + 1]).read_text())
    Gateway.endpoints = {endpoint["endpoint"]: endpoint for endpoint in config["endpoints"]}
    Gateway.health_path = config["extra_config"]["router"]["health_path"]
    ThreadingHTTPServer(("", config["port"]), Gateway).serve_forever()


if __name__ == "__main__":
    main()
