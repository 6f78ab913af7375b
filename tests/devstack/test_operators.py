"""What operators see: threads, runs, the story of a run, and whether all is well."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from devstack.cli.main import main
from devstack.openrouter.messages import Answer, Rule
from devstack.processes import wait_until
from tests.support.dev import READY_SECONDS, Dev

THREAD = "größe/mit slash"


def run(dev: Dev, *arguments: str, **environment: str | None) -> Result:
    """A command in this process."""
    arguments = (*arguments, "--data", str(dev.data))
    return CliRunner().invoke(main, arguments, env={"YOCASO_API_KEY": None, **environment})


def read(dev: Dev, *arguments: str) -> dict[str, Any]:
    """What a command writes for programs."""
    done = run(dev, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def script(dev: Dev, contains: str, *answers: Answer) -> None:
    """Answer the message that contains this text so."""
    url = f"{dev.description['local_cloud_url']}/openrouter/control/script"
    rule = Rule(answers=list(answers), contains=contains)
    assert httpx.post(url, json=rule.model_dump(), trust_env=False).is_success


def send(dev: Dev, thread: str, text: str) -> str:
    """Send a message; the id of the run."""
    dev.call("create-thread", conversationKey=thread)
    return dev.call("send-message", conversationKey=thread, userMessage={"content": text})["runId"]


def ended(dev: Dev, thread: str, run_id: str) -> dict[str, Any]:
    """Wait until a run is over; its record."""

    def over() -> bool:
        found = dev.call("get-run", conversationKey=thread, runId=run_id)
        return found["status"] not in ("RUNNING", "QUEUED")

    assert wait_until(over, READY_SECONDS)
    return dev.call("get-run", conversationKey=thread, runId=run_id)


@pytest.fixture(scope="module")
def answered(dev: Dev) -> str:
    """A run that is over, of a thread whose name needs encoding."""
    run_id = send(dev, THREAD, "hello there")
    assert ended(dev, THREAD, run_id)["status"] == "COMPLETED"
    return run_id


def test_threads_are_listed_with_keys_that_a_person_can_read(dev: Dev, answered: str) -> None:
    (found,) = read(dev, "threads", "--tenant", "demo", "--user", "developer", "--thread", THREAD)[
        "threads"
    ]
    assert (found["tenantId"], found["userId"]) == ("demo", "developer")
    assert (found["conversationKey"], found["status"]) == (THREAD, "IDLE")
    assert THREAD in run(dev, "threads").output


def test_threads_of_other_tenants_are_left_out_on_demand(dev: Dev, answered: str) -> None:
    assert read(dev, "threads", "--tenant", "dem")["threads"] == []
    assert read(dev, "threads", "--tenant", "demo")["threads"]


def test_runs_are_listed_with_what_restate_does_for_them(dev: Dev, answered: str) -> None:
    found = {each["runId"]: each for each in read(dev, "runs")["runs"]}[answered]
    assert (found["conversationKey"], found["status"]) == (THREAD, "COMPLETED")
    assert found["invocation"]["status"] == "completed"
    assert answered in run(dev, "runs", "--status", "COMPLETED").output
    assert answered not in run(dev, "runs", "--status", "FAILED").output


def test_a_run_that_is_not_over_is_listed_and_its_thread_is_active(dev: Dev) -> None:
    script(dev, "hold on", Answer(text="a b c", gate="operators", hold_after=1))
    run_id = send(dev, "active", "hold on")
    try:
        assert run_id in run(dev, "runs", "--status", "RUNNING").output
        active = read(dev, "threads", "--active")["threads"]
        assert [(each["conversationKey"], each["activeRunId"]) for each in active] == [
            ("active", run_id)
        ]
        story = read(dev, "explain", run_id)
        assert story["run"]["status"] == "RUNNING"
        assert story["invocation"]["id"] in story["next"]
    finally:
        dev.call("cancel-run", conversationKey="active", runId=run_id)
    assert ended(dev, "active", run_id)["status"] == "CANCELLED"
    assert "cancelled" in run(dev, "explain", run_id).output


def test_a_run_is_explained_from_its_record_its_events_and_restate(dev: Dev, answered: str) -> None:
    story = read(dev, "explain", answered)
    assert story["thread"]["conversationKey"] == THREAD
    assert [each["type"] for each in story["events"]] == [
        "message.created", "run.started", "message.completed", "run.completed",
    ]  # fmt: skip
    assert story["invocation"]["status"] == "completed"
    assert any(each["name"] == "read" for each in story["steps"])
    assert story["next"] == "Nothing to do."


def test_what_was_said_is_shown_only_on_demand(dev: Dev, answered: str) -> None:
    for quiet in (run(dev, "explain", answered), run(dev, "explain", answered, "--json")):
        assert "hello there" not in quiet.output
    assert "hello there" in run(dev, "explain", answered, "--content").output


def test_a_client_without_the_admin_port_can_have_its_own_run_explained(
    dev: Dev, answered: str
) -> None:
    known = dev.description
    done = CliRunner().invoke(
        main,
        ("explain", answered, "--url", known["base_url"], "--json"),
        env={"YOCASO_API_KEY": known["secret_key"], "RESTATE_ADMIN_URL": None},
    )
    assert done.exit_code == 0, done.output
    story = json.loads(done.stdout)
    assert len(story["events"]) == 4
    assert story["thread"] == {"conversationKey": THREAD}


def test_a_failed_run_is_explained_with_its_error_and_what_helps(dev: Dev) -> None:
    script(dev, "no money", Answer(status=402, error_message="Insufficient credits"))
    run_id = send(dev, "failed", "no money")
    record = ended(dev, "failed", run_id)
    text = run(dev, "explain", run_id).output
    assert record["error"]["details"]["reason"] in text
    assert "Nothing goes on by itself" in text


def test_attempts_that_were_refused_are_part_of_the_story(dev: Dev) -> None:
    refused = Answer(status=429, error_message="Slow down", retry_after="0.1")
    script(dev, "slow down", refused, Answer(text="now it works"))
    run_id = send(dev, "retried", "slow down")
    assert ended(dev, "retried", run_id)["attempts"] == 2
    assert "attempt 2 begins" in run(dev, "explain", run_id).output


@pytest.mark.parametrize("run_id", ["run_unknown", "' OR 1=1 --"])
def test_a_run_that_is_unknown_or_none_is_told(dev: Dev, run_id: str) -> None:
    done = run(dev, "explain", run_id)
    assert done.exit_code == 1
    assert "run" in done.stderr


def test_the_doctor_finds_a_healthy_stack_healthy(dev: Dev) -> None:
    wait_until(lambda: run(dev, "doctor").exit_code == 0, READY_SECONDS)
    checks = {each["name"]: each for each in read(dev, "doctor")["checks"]}
    assert {each["state"] for each in checks.values()} <= {"ok", "warning"}
    for name in ("python", "restate", "disk", "processes", "edge", "registration", "api"):
        assert checks[name]["state"] == "ok", checks[name]


def test_the_doctor_finds_a_fault_that_was_left_on(dev: Dev) -> None:
    url = dev.description["local_cloud_url"]
    httpx.put(f"{url}/faults/issuer", json={"kind": "garbage"}, trust_env=False)
    try:
        checks = {each["name"]: each for each in read(dev, "doctor")["checks"]}
    finally:
        httpx.delete(f"{url}/faults", trust_env=False)
    assert checks["local cloud"]["state"] == "warning"
    assert "curl -X DELETE" in checks["local cloud"]["remedy"]


def test_the_doctor_finds_a_part_that_is_down(dev: Dev) -> None:
    """The supervisor is stopped meanwhile, so that nothing is started again."""
    os.kill(dev.pid, signal.SIGSTOP)
    pids: dict[str, int] = dev.description["pids"]
    try:
        os.killpg(pids["local-cloud"], signal.SIGSTOP)
        os.killpg(pids["local-cloud"], signal.SIGKILL)
        done = run(dev, "doctor", "--json")
        checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    finally:
        os.kill(dev.pid, signal.SIGCONT)
    assert done.exit_code == 1
    assert checks["local cloud"]["state"] == "failed"
    assert wait_until(
        lambda: dev.description["pids"]["local-cloud"] not in (None, pids["local-cloud"]),
        READY_SECONDS,
    )
    # Others use the same stack.
    assert wait_until(lambda: _answers(dev.description["local_cloud_url"]), READY_SECONDS)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_stack_that_was_killed_is_not_taken_for_one_that_runs(dev: Dev, tmp_path: Path) -> None:
    shutil.copy(dev.data / "stack.json", tmp_path)
    (tmp_path / "owner.lock").write_text(str(dev.pid))
    assert CliRunner().invoke(main, ("threads", "--data", str(tmp_path))).exit_code == 3


def test_the_doctor_says_how_to_start_a_stack(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ("doctor", "--data", str(tmp_path), "--json"))
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert checks["stack"]["remedy"] == "yocaso dev"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_the_commands(shell: str) -> None:
    written = CliRunner().invoke(main, ("completion", shell))
    assert f"_YOCASO_COMPLETE={shell}_complete" in written.output
    asked = {
        "_YOCASO_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "yocaso exp",
        "COMP_CWORD": "exp" if shell == "fish" else "1",
    }
    done = CliRunner().invoke(main, (), prog_name="yocaso", env=asked)
    assert "explain" in done.output


def test_every_command_has_a_help_with_its_options() -> None:
    listed = CliRunner().invoke(main, ("--help",)).output
    for name in ("dev", "chat", "doctor", "explain", "threads", "runs", "completion"):
        assert f"\n  {name} " in listed
        assert CliRunner().invoke(main, (name, "--help")).exit_code == 0
