"""The platform's image by itself."""

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from deploy.image_test.engine import Engine
from deploy.image_test.images import Images, build_platform
from devstack.processes import wait_until

LARGEST_ADDITION = 120_000_000
STOP_SECONDS = 10
# As a cluster runs it: nothing to write to, no privileges, and here not even a network.
HARDENED = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"),
    *("--security-opt", "no-new-privileges", "--network", "none"),
)
BUILD_TOOLS = ("gcc", "cc", "g++", "make", "ld", "git", "cargo", "go", "node")
LOOK_AROUND = f"""
import importlib.util, os, pathlib, shutil, sys
found = [tool for tool in {BUILD_TOOLS!r} if shutil.which(tool)]
assert not found, found
assert os.getuid() == os.getgid() == 10001
assert not pathlib.Path(sys.prefix, "bin", "pip").exists()
assert importlib.util.find_spec("app") and not importlib.util.find_spec("devstack")
roots = [pathlib.Path("/opt"), pathlib.Path("/usr/local")]
writable = [p for r in roots for p in r.rglob("*") if not p.is_symlink() and os.access(p, os.W_OK)]
assert not writable, writable
"""


def test_it_adds_little_to_its_base(engine: Engine, images: Images) -> None:
    whole, base = engine.size(images.platform), engine.size(images.base)
    print(f"The image has {whole / 1e6:.0f} MB, {(whole - base) / 1e6:.0f} MB above its base.")
    assert whole - base < LARGEST_ADDITION


def test_the_same_sources_make_the_same_image(engine: Engine, images: Images) -> None:
    again = f"{images.platform}-again"
    build_platform(engine, images.base, again, "--no-cache")
    # Not by id, which also hashes how the builder named its steps.
    assert engine.content(again) == engine.content(images.platform)


def test_it_has_no_build_tools_and_no_doubles_and_nothing_that_its_user_could_change(
    engine: Engine, images: Images
) -> None:
    python = ("--entrypoint", "python", images.platform, "-c", LOOK_AROUND)
    engine.run("podman", "run", "--rm", "--network", "none", *python)


def test_a_wrong_setting_ends_the_program_with_a_sentence(engine: Engine, images: Images) -> None:
    setting = ("--env", "EDGE_SECRET_KEYS=not-json")
    done = engine.run(
        "podman", "run", "--rm", *HARDENED, *setting, images.platform, "edge", check=False
    )
    assert done.returncode == 2
    assert "EDGE_SECRET_KEYS" in done.stderr


@pytest.fixture(params=["edge", "handlers"])
def program(request: pytest.FixtureRequest, engine: Engine, images: Images) -> Generator[str]:
    """A running container of one program, as process 1."""
    name = f"yocaso-image-test-{request.param}"
    engine.run("podman", "rm", "--force", "--ignore", name)
    command = (images.platform, request.param, "--host", "0.0.0.0")
    engine.run("podman", "run", "--detach", "--name", name, *HARDENED, *command)
    yield name
    engine.run("podman", "rm", "--force", "--time", "0", name)


def test_a_program_is_healthy_on_a_read_only_root_and_ends_when_told(
    engine: Engine, program: str
) -> None:
    assert wait_until(lambda: engine.healthy(program), 60)
    started = time.monotonic()
    engine.run("podman", "stop", "--time", "60", program, seconds=90)
    seconds = time.monotonic() - started
    print(f"{program} ended {seconds:.1f} s after SIGTERM.")
    assert seconds < STOP_SECONDS
    state = engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", program)
    assert state.stdout.strip() == "0"


def test_a_program_that_hangs_is_not_healthy(engine: Engine, program: str) -> None:
    assert wait_until(lambda: engine.healthy(program), 60)
    for child in children(engine, program):
        os.kill(child, signal.SIGSTOP)
    assert not engine.healthy(program)


def children(engine: Engine, container: str) -> list[int]:
    """The processes that process 1 of the container has started."""
    found = engine.run("podman", "inspect", "--format", "{{.State.Pid}}", container)
    pid = found.stdout.strip()
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
