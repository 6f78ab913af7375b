"""Finds docker compose v2, or builds it: `python -m deploy.compose_command` prints its command.

Only `config` and the like are needed without an engine, so a machine without Docker can check
`compose.yaml` too. Where no v2 is on the PATH, Go builds the published module into the project's
cache. (`go install` refuses it because of its `exclude` lines, so it is built from the module's
own folder. That takes minutes, once.)
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = "github.com/docker/compose/v2"
VERSION = "v2.40.3"
BUILT = Path(__file__).parents[1] / ".cache" / "bin" / "docker-compose"
_CANDIDATES = (("docker", "compose"), ("docker-compose",), (str(BUILT),))


def find() -> tuple[str, ...] | None:
    """The command of a docker compose that is not version 1, if there is one."""
    for command in _CANDIDATES:
        if shutil.which(command[0]) and _version(command)[:1] not in ("", "1"):
            return command
    return None


def _version(command: tuple[str, ...]) -> str:
    answer = subprocess.run(
        (*command, "version", "--short"), capture_output=True, text=True, check=False
    )
    return answer.stdout.strip().removeprefix("v") if answer.returncode == 0 else ""


def build() -> tuple[str, ...]:
    """Build it into the cache; needs Go."""
    download = ("go", "mod", "download", "-json", f"{MODULE}@{VERSION}")
    answer = subprocess.run(download, check=True, capture_output=True, text=True)
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    version = f"-X {MODULE}/internal.Version={VERSION}"
    subprocess.run(
        ("go", "build", "-trimpath", "-ldflags", f"-s -w {version}", "-o", str(BUILT), "./cmd"),
        cwd=json.loads(answer.stdout)["Dir"],
        env=os.environ | {"CGO_ENABLED": "0"},
        check=True,
    )
    return (str(BUILT),)


def main() -> int:
    """Print the command."""
    command = find()
    if command is None:
        if shutil.which("go") is None:
            print("docker compose v2 is needed, or Go to build it.", file=sys.stderr)
            return 1
        print("No docker compose v2 is here; building it, once.", file=sys.stderr)
        command = build()
    print(" ".join(command))
    return 0


if __name__ == "__main__":
    sys.exit(main())
