"""What keeps `yocaso dev` from starting is told in a sentence with the remedy."""

import json
import socket
from pathlib import Path

import pytest

from devstack import model_choice, restate
from devstack.data_directory import FORMAT, DataDirectory
from devstack.model_choice import Model
from devstack.processes import ProcessError
from tests.support.dev import Dev, yocaso

VERSION = "1.7.12"


def refusal(*options: str) -> str:
    """What is said when it does not start: a sentence, and no trace of the program's insides."""
    done = yocaso("dev", "--model", "double", *options)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_named_with_the_option_that_helps(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = refusal("--port", port, "--data", str(tmp_path / "data"))
    assert f"Port {port} is in use" in said
    assert "--port" in said


def test_a_second_stack_on_the_same_data_is_refused_and_the_first_goes_on(dev: Dev) -> None:
    said = refusal("--port", "0", "--data", str(dev.data))
    assert f"process {dev.pid}" in said
    assert f"kill {dev.pid}" in said
    assert dev.call("list-threads") is not None


def test_a_foreign_directory_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    said = refusal("--port", "0", "--data", str(tmp_path))
    assert "--data" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_directory_of_another_format_is_left_as_it_is(tmp_path: Path) -> None:
    marker = json.dumps({"format": FORMAT + 1, "restate": VERSION})
    (tmp_path / "yocaso.json").write_text(marker)
    with pytest.raises(ProcessError, match="another version of `yocaso dev`"):
        DataDirectory(tmp_path).open(VERSION)
    assert (tmp_path / "yocaso.json").read_text() == marker


def test_data_of_a_newer_restate_are_refused_and_of_an_older_one_taken(tmp_path: Path) -> None:
    with_newer = DataDirectory(tmp_path)
    with_newer.open("1.9.0")
    with_newer.close()
    with pytest.raises(ProcessError, match=r"Restate 1\.9\.0"):
        DataDirectory(tmp_path).open(VERSION)
    DataDirectory(tmp_path).open("1.10.1")


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="MB left"):
        DataDirectory(tmp_path, needed_bytes=2**62).open(VERSION)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProcessError, match="Name another directory"):
        DataDirectory(tmp_path / "file" / "data").open(VERSION)


def test_a_directory_is_free_again_after_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(ProcessError):
        DataDirectory(tmp_path, needed_bytes=2**62).open(VERSION)
    DataDirectory(tmp_path).open(VERSION)


@pytest.mark.parametrize(("programs", "node_too"), [((), True), (("npm",), False)])
def test_a_missing_program_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: tuple[str, ...], node_too: bool
) -> None:
    for program in programs:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(restate, "NODE_MODULES", tmp_path)
    with pytest.raises(ProcessError, match="`make setup` installs it") as told:
        restate.server_version()
    assert ("Node 20" in str(told.value)) is node_too


def test_a_part_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.open(restate.server_version())
    directory.close()
    (tmp_path / "issuer.pem").write_text("not a key")
    done = yocaso("dev", "--model", "double", "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error: local-cloud ended with exit code 1")
    assert "signing_key" in done.stderr


def test_real_models_need_a_key_and_say_which() -> None:
    with pytest.raises(ProcessError, match="OPENROUTER_API_KEY"):
        model_choice.choose("openrouter", {})


def test_with_a_key_the_real_models_are_chosen() -> None:
    choice = model_choice.choose(None, {"OPENROUTER_API_KEY": "k"})
    assert choice.model is Model.OPENROUTER
    assert choice.environment["OPENROUTER_API_KEY"] == "k"


def test_the_local_model_is_told_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.local_model.WEIGHTS", "no_such_package")
    assert model_choice.choose(None, {}).model is Model.DOUBLE
    with pytest.raises(ProcessError, match="make local-model"):
        model_choice.choose("local", {})
