"""The Dockerfile, as far as it can be held to the code without an engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from deploy.image import healthcheck
from tests.support.repository import ROOT, files, packages

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    dockerfiles = [str(path) for path in files() if path.name.endswith("Dockerfile")]
    assert "Dockerfile" in dockerfiles
    command = (str(hadolint), *dockerfiles)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_image_has_every_package_but_the_development_stack() -> None:
    copied = re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)
    assert sorted(copied) == sorted(packages())
    platform = DOCKERFILE.partition(" AS platform\n")[2]
    assert platform
    assert "devstack" not in platform


def test_a_build_sees_what_it_copies_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    seen = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    assert seen == {*packages(), "requirements/runtime.txt", "deploy/image"}


@pytest.mark.parametrize("program", ["edge", "handlers"])
def test_the_health_check_asks_where_a_program_listens_unless_told_otherwise(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([program, "--help"])
    port, _ = healthcheck.PROGRAMS[program]
    assert f"(default: {port})" in " ".join(capsys.readouterr().out.split())


def test_the_image_names_the_ports_of_its_programs() -> None:
    lines: list[str] = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)
    exposed = {int(port) for line in lines for port in line.split()}
    assert exposed == {port for port, _ in healthcheck.PROGRAMS.values()}
