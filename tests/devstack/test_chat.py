"""`yocaso chat` at a terminal: shows answers as they come, stops them, outlives the platform."""

import json
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from devstack.openrouter.messages import Answer, Rule, ToolCall
from tests.support.dev import Dev, yocaso
from tests.support.terminal import CTRL_C, CTRL_D, Terminal

PROMPT = "you   "


@contextmanager
def chatting(dev: Dev, thread: str, *options: str) -> Generator[Terminal]:
    """A chat that waits for the first line."""
    with Terminal("chat", "--data", str(dev.data), *options, thread) as terminal:
        terminal.wait_for(f"thread {thread}")
        terminal.wait_for(PROMPT)
        yield terminal


def control(dev: Dev, path: str, body: dict[str, Any]) -> None:
    """Tell the scripted model something."""
    url = f"{dev.description['local_cloud_url']}/openrouter/control/{path}"
    assert httpx.post(url, json=body, trust_env=False).is_success


def script(dev: Dev, contains: str, *answers: Answer) -> None:
    """Answer the message that contains this text so."""
    control(dev, "script", Rule(answers=list(answers), contains=contains).model_dump())


def release(dev: Dev, gate: str) -> None:
    """Let an answer go on that holds at a gate."""
    control(dev, "release", {"gate": gate})


def runs(dev: Dev, thread: str) -> list[dict[str, Any]]:
    """The thread's runs, newest first."""
    return dev.call("list-runs", conversationKey=thread)["runs"]


def test_an_answer_is_shown_while_it_comes(dev: Dev) -> None:
    script(dev, "stream it", Answer(text="first half, second half", gate="half", hold_after=2))
    with chatting(dev, "streamed") as terminal:
        terminal.say("stream it")
        terminal.wait_for("model first half, ")
        assert "second" not in terminal.shown
        release(dev, "half")
        terminal.wait_for("second half")
        terminal.wait_for(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.ended() == 0


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(dev: Dev) -> None:
    script(dev, "stop it", Answer(text="kept, never said", gate="never", hold_after=1))
    with chatting(dev, "stopped") as terminal:
        terminal.say("stop it")
        terminal.wait_for("model kept, ")
        terminal.type(CTRL_C)
        terminal.wait_for("stopped")
        terminal.wait_for(PROMPT)
        assert "never said" not in terminal.shown
        terminal.say("and then")
        terminal.wait_for("You said: and then")
    assert [run["status"] for run in runs(dev, "stopped")] == ["COMPLETED", "CANCELLED"]
    messages = dev.answered("stopped", 4)
    assert (messages[1]["content"], messages[1]["partial"]) == ("kept, ", True)


def test_ctrl_c_twice_leaves(dev: Dev) -> None:
    with chatting(dev, "left") as terminal:
        terminal.press(CTRL_C, lambda: "again leaves" in terminal.shown)
        terminal.wait_for("again leaves")
        terminal.wait_for(PROMPT)
        terminal.press(CTRL_C, lambda: not terminal.runs)
        assert terminal.ended() == 130


def test_a_chat_outlives_the_edge_and_says_nothing_twice(dev: Dev) -> None:
    script(dev, "survive it", Answer(text="before the death, after it", gate="edge", hold_after=3))
    with chatting(dev, "survived") as terminal:
        terminal.say("survive it")
        terminal.wait_for("model before the death, ")
        os.killpg(dev.description["pids"]["edge"], signal.SIGKILL)
        terminal.wait_for("waiting for it to come back")
        release(dev, "edge")
        terminal.wait_for("after it")
        assert "before" not in terminal.shown
        terminal.wait_for(PROMPT)


def test_a_chat_outlives_the_handlers_and_tells_that_the_answer_starts_anew(dev: Dev) -> None:
    answer = "a long enough answer"
    held = Answer(text=answer, gate="handlers", hold_after=2)
    script(dev, "again", held, Answer(text=answer))
    with chatting(dev, "anew") as terminal:
        terminal.say("again")
        terminal.wait_for("model a long ")
        os.killpg(dev.description["pids"]["handlers"], signal.SIGKILL)
        terminal.wait_for("starts anew")
        terminal.wait_for(f"model {answer}")
        terminal.wait_for(PROMPT)
    assert [run["status"] for run in runs(dev, "anew")] == ["COMPLETED"]


def test_what_was_said_is_shown_at_the_start_and_in_reach_of_the_arrow_keys(dev: Dev) -> None:
    assert yocaso("chat", "--data", str(dev.data), "again", "-m", "what was first").returncode == 0
    with Terminal("chat", "--data", str(dev.data), "again") as terminal:
        terminal.wait_for("you   what was first")
        terminal.wait_for("model You said: what was first")
        terminal.wait_for(PROMPT)
        terminal.type("\x1b[A")
        terminal.wait_for("what was first")
        terminal.type("\r")
        terminal.wait_for("You said: what was first")


def test_nothing_that_a_model_says_reaches_the_terminal_as_an_order(dev: Dev) -> None:
    script(dev, "paint it", Answer(text="\x1b[2Jcleared\x07"))
    done = yocaso("chat", "--data", str(dev.data), "painted", "-m", "paint it")
    assert "cleared" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_program_gets_a_line_of_json_for_each_happening(dev: Dev) -> None:
    done = yocaso("chat", "--data", str(dev.data), "program", "--json", "-m", "for a program")
    happened = [json.loads(line) for line in done.stdout.splitlines()]
    said = "".join(each["text"] for each in happened if each["type"] == "said")
    assert said == "You said: for a program"
    assert happened[-1]["type"] == "completed"


def test_a_failed_answer_is_told_and_the_exit_code_says_so(dev: Dev) -> None:
    script(dev, "fail it", Answer(status=402, error_message="Insufficient credits"))
    done = yocaso("chat", "--data", str(dev.data), "failing", "-m", "fail it")
    assert done.returncode == 1
    assert f"yocaso explain {runs(dev, 'failing')[0]['runId']}" in done.stderr


def test_a_key_that_is_refused_is_told_in_a_sentence(dev: Dev) -> None:
    url = dev.description["base_url"]
    done = yocaso("chat", "--url", url, "-m", "hello", YOCASO_API_KEY="sk_wrong")
    assert done.returncode == 4
    assert "credentials.invalid" in done.stderr


@pytest.mark.parametrize("command", ["chat", "threads", "runs"])
def test_without_a_stack_it_is_said_how_to_start_one(command: str, tmp_path: Any) -> None:
    done = yocaso(command, "--data", str(tmp_path))
    assert done.returncode == 3
    assert "yocaso dev" in done.stderr


def noting(dev: Dev, question: str, text: str) -> None:
    """Let the model ask for a line in the toolbox's notebook."""
    url = f"{dev.description['local_cloud_url']}/toolbox/mcp"
    dev.call("mcp-register-server", serverName="toolbox", url=url)
    call = ToolCall(name="toolbox__note", arguments=json.dumps({"text": text}))
    script(dev, question, Answer(tool_calls=[call]), Answer(text="That is all."))


def test_a_call_that_needs_approval_waits_for_the_persons_word(dev: Dev) -> None:
    noting(dev, "write it", "a line")
    with chatting(dev, "approved", "--tool", "toolbox") as terminal:
        terminal.say("write it")
        terminal.wait_for("a line")
        terminal.wait_for("approve?")
        terminal.say("y")
        terminal.wait_for("toolbox/note: succeeded")
        terminal.wait_for("That is all.")
        assert "anew" not in terminal.shown


def test_a_call_is_made_with_the_arguments_that_the_person_typed(dev: Dev) -> None:
    noting(dev, "mend it", "a line")
    with chatting(dev, "mended", "--tool", "*") as terminal:
        terminal.say("mend it")
        terminal.wait_for("approve?")
        terminal.say('{"text": "a better line"}')
        terminal.wait_for("That is all.")
    messages = dev.call("conversation-state", conversationKey="mended")["messages"]
    (tool,) = [message for message in messages if message["role"] == "tool"]
    assert tool["toolCall"]["arguments"] == {"text": "a better line"}


def test_a_program_decides_by_an_option(dev: Dev) -> None:
    noting(dev, "deny it", "a line")
    options = ["chat", "--data", str(dev.data), "--tool", "*", "--deny", "--json"]
    done = yocaso(*options, "denied", "-m", "deny it")
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    ended = [line["call"]["status"] for line in told if line["type"] == "tool completed"]
    assert ended == ["DENIED"]


def test_a_thread_goes_several_ways_and_back(dev: Dev) -> None:
    script(dev, "say it", Answer(text="the first"), Answer(text="the second"))
    with chatting(dev, "branched") as terminal:
        terminal.say("/again")
        terminal.wait_for("nothing was said yet")
        terminal.say("say it")
        terminal.wait_for("model the first")
        terminal.wait_for(PROMPT)
        terminal.say("/again")
        terminal.wait_for("model the second")
        terminal.wait_for(PROMPT)
        terminal.say("/edit in other words")
        terminal.wait_for("You said: in other words")
        terminal.wait_for(PROMPT)
        terminal.say("/branches")
        terminal.wait_for("* branch-2")
        terminal.say("/branch nowhere")
        terminal.wait_for("branch.not_found")
        terminal.say("/branch main")
        terminal.wait_for("model the first")
        terminal.wait_for(PROMPT)
    branches = dev.call("list-branches", conversationKey="branched")["branches"]
    assert [branch["branchId"] for branch in branches] == ["branch-2", "branch-1", "main"]
