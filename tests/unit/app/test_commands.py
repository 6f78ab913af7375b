"""What people ask of the platform: `check` and `routes`, as a table and as JSON."""

import json
import os
import subprocess
import sys

import pytest

from app.__main__ import main
from app.components import build
from app.settings import HandlersConfig
from devstack.processes import free_port

PATH = "/api/v1/llm/gateway/send-message"


def test_check_shows_every_component(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    table = capsys.readouterr().out
    for each in build(HandlersConfig.read()).registry.registered:
        assert each.component.name in table
        assert each.component.retries.name in table


def test_check_as_json_has_what_the_table_has_no_room_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["stale"] == []
    (actor,) = (each for each in shown["components"] if each["name"] == "ConversationActor")
    assert actor["kind"] == "actor"
    assert "GenerationWorkflow/Run" in actor["sends"]
    assert "SendMessage" in actor["methods"]
    assert actor["about"].startswith("ConversationActor: ")


def test_routes_has_a_line_for_every_public_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["path", "target", "scope"]
    assert len(lines) == len(build(HandlersConfig.read()).registry.routes())
    (line,) = (line for line in lines if line.startswith(f"{PATH} "))
    assert line.split()[1:4] == ["LLMGateway/SendMessage", "conversations:write", "yes"]


def test_routes_as_json_says_what_a_method_needs_calls_and_may_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["routes", "--json"]) == 0
    shown = {route["path"]: route for route in json.loads(capsys.readouterr().out)}
    send = shown[PATH]
    assert send["scope"] == "conversations:write"
    assert send["modes"] == ["firebase", "secret-key", "publishable-key"]
    assert (send["effect"], send["idempotency_key"]) == ("command", True)
    assert (send["deadline_seconds"], send["body_limit_bytes"]) == (30, 1024 * 1024)
    assert send["calls"] == ["ConversationActor/SendMessage"]
    assert send["errors"]["thread.not_found"] == "NOT_FOUND"
    assert shown["/api/v1/llm/gateway/stream-events"]["served_by"] == "edge"


def test_a_wrong_setting_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHASSIS_FORCE_REPLAY", "perhaps")
    assert main(["check"]) == 2
    assert capsys.readouterr().err.startswith("CHASSIS_FORCE_REPLAY: ")


@pytest.mark.parametrize(
    ("server", "setting", "value"),
    [("handlers", "CHASSIS_FORCE_REPLAY", "perhaps"), ("edge", "EDGE_DRAIN_SECONDS", "soon")],
)
def test_a_server_with_a_wrong_setting_tells_it_in_a_sentence_and_ends(
    server: str, setting: str, value: str
) -> None:
    command = (sys.executable, "-m", "app", server, "--port", str(free_port()))
    ended = subprocess.run(
        command,
        env={**os.environ, setting: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{setting}: ")
