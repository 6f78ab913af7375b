#!/usr/bin/env -S python3 -I -S
"""Whether the program of this container answers: exit code 0, or 1 and a sentence.

Installed in the image as `healthcheck`, without arguments, because some engines split them at
spaces. It is the same for every program of the image: which one runs, and on which port, is read
from the command line of process 1. Kubernetes has probes of its own and does not use this.

Standard library only, and started without `site`: it runs every few seconds.
"""

import socket
import sys
from pathlib import Path

# Program: its port unless --port says otherwise, and what answers 200 there. Only the process
# itself is asked: a container that restarts because Restate is away helps nobody.
PROGRAMS = {
    "edge": (8000, "/healthz"),
    "handlers": (9080, "/health"),
    "devstack.cloud": (8090, "/faults"),
}
TIMEOUT_SECONDS = 3


def probe(arguments: list[str]) -> tuple[int, str]:
    """The port and the path to ask, for the command line of a program of this image."""
    for word in arguments:
        if word in PROGRAMS:
            port, path = PROGRAMS[word]
            break
    else:
        raise ValueError("The program of this container has no health to ask for.")
    if "--port" in arguments:
        port = int(arguments[arguments.index("--port") + 1])
    return port, path


def status(port: int, path: str) -> int:
    """The HTTP status that the path answers on loopback."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def main() -> int:
    """Ask, and tell what is wrong."""
    arguments = Path("/proc/1/cmdline").read_text().split("\0")
    try:
        port, path = probe(arguments)
        code = status(port, path)
    except (OSError, ValueError, IndexError) as error:
        print(f"There is no answer: {error}", file=sys.stderr)
        return 1
    if code != 200:
        print(f"{path} answers {code}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
