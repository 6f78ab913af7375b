"""`make demo`: one conversation of two turns that survives the death of the handlers.

Everything goes through the public REST interface, as a client would. Where the local model is
installed the answers are really generated, else the scripted double echoes. The switchboard slows
the second answer down, and in its middle the handler process is killed with -9. The demo checks
what it shows and exits 1 when an answer is missing, doubled or out of order.
"""

import sys
import tempfile
import time
from pathlib import Path

import click
import httpx

from devstack import local_model
from devstack.client import AwayError, Client
from devstack.follower import Anew, Follower, Lost, Said, Settled, Update, follow
from devstack.keys import SecretKey
from devstack.processes import ProcessError
from devstack.stack import HANDLERS, Stack, StackOptions
from errors import RpcError

CONVERSATION = "demo"
QUESTIONS = (
    "In one sentence: what is the sea?",
    "Now tell me a story about a ship that sinks in the middle of the night, and is saved.",
)
SEEN_BEFORE_THE_KILL = 24
"""Code points of the second answer that have reached the reader when the handlers die."""
# How long the switchboard holds each piece of the second answer, so that its middle lasts.
_DELAY_MS = {True: 40, False: 150}


class DemoError(Exception):
    """What was promised did not happen. The text is a sentence for a person."""


def say(what: str, text: str = "") -> None:
    """One line for the person who watches."""
    click.echo(f"{what:<14} {text}".rstrip())
    sys.stdout.flush()


class Reader:
    """Shows an answer as it comes, and does something in its middle once."""

    def __init__(self) -> None:
        self.attempts = 1
        self._open = False

    def show(self, update: Update) -> None:
        """Write what is new."""
        if isinstance(update, Said):
            if not self._open:
                click.echo(f"{'model':<14} ", nl=False)
            self._open = True
            click.echo(update.text.replace("\n", " "), nl=False)
            sys.stdout.flush()
            return
        self.end_line()
        if isinstance(update, Anew):
            self.attempts += 1
            say("reader", "is told that the answer starts anew")
        elif isinstance(update, Lost):
            say("reader", "has lost the connection and opens it again")

    def end_line(self) -> None:
        """The text ends here for now."""
        if self._open:
            click.echo()
        self._open = False


class Demo:
    """The conversation of the demo on a running stack."""

    def __init__(self, stack: Stack, client: Client) -> None:
        self._stack = stack
        self._client = client
        self._runs: list[str] = []

    def hold(self) -> None:
        """Two turns, then what the conversation is afterwards."""
        self._client.call("create-thread", conversationKey=CONVERSATION, name="A demonstration")
        say("thread", f"{CONVERSATION!r} is created")
        self._answer(self._ask(QUESTIONS[0]))
        self._slow_down()
        self._answer_with_a_death(self._ask(QUESTIONS[1]))
        self._check()

    def _ask(self, question: str) -> Follower:
        events = self._client.call("pull-events", conversationKey=CONVERSATION)
        say("user", question)
        run: str = self._client.send(CONVERSATION, question)["runId"]
        self._runs.append(run)
        return Follower(self._client, CONVERSATION, run, events.get("lastSequence", 0))

    def _answer(self, follower: Follower) -> Reader:
        reader = Reader()
        settled = follow(follower, reader.show)
        if settled.status != "completed":
            raise DemoError(f"The run {settled.status}: {settled.event}")
        return reader

    def _answer_with_a_death(self, follower: Follower) -> None:
        reader = Reader()
        for update in follower:
            reader.show(update)
            if isinstance(update, Settled):
                raise DemoError("The answer was over before the handlers could be killed.")
            if len(follower.text) >= SEEN_BEFORE_THE_KILL:
                break
        reader.end_line()
        self._kill_and_start()
        self._answer(follower)

    def _kill_and_start(self) -> None:
        handlers = self._stack.processes[HANDLERS]
        say("kill -9", f"the handlers (process {handlers.pid}) in mid-answer")
        self._stack.kill(HANDLERS)
        self._stack.start_again(HANDLERS)
        say("start", f"the handlers (process {handlers.pid})")

    def _slow_down(self) -> None:
        delay = _DELAY_MS[self._stack.options.local_model]
        fault = {"kind": "slow", "delay_ms": delay, "times": 1}
        url = f"{self._stack.cloud_url}/faults/openrouter"
        httpx.put(url, json=fault, trust_env=False).raise_for_status()
        say("switchboard", f"the model's next answer comes slowly, {delay} ms before every piece")

    def _check(self) -> None:
        """Both turns are there once, whole and in order; the second took two attempts."""
        call = self._client.patiently
        messages = call("conversation-state", conversationKey=CONVERSATION)["messages"]
        seen = [(each["role"], each["runId"], bool(each.get("content"))) for each in messages]
        expected = [(role, run, True) for run in self._runs for role in ("user", "assistant")]
        if seen != expected:
            raise DemoError(f"The conversation is not what was said: {seen}")
        record = call("get-run", conversationKey=CONVERSATION, runId=self._runs[1])
        if record["status"] != "COMPLETED" or record.get("attempts") != 2:
            raise DemoError(f"The second run is not what was seen: {record}")
        say("")
        say("checked", "4 messages in order, each answer exactly once; the run whose process")
        say("", f"died took {record['attempts']} attempts, and nobody had to ask again.")


def main() -> int:
    """Run the demo; 0 when everything that it promises was seen."""
    started = time.monotonic()
    key = SecretKey(tenant_id="demo", user_id="visitor")
    real = local_model.weights() is not None
    with tempfile.TemporaryDirectory(prefix="yocaso-demo-", ignore_cleanup_errors=True) as folder:
        stack = Stack(StackOptions(data_path=Path(folder), keys=(key,), local_model=real))
        say("start", "Restate, handlers, edge and local cloud, all real processes")
        say("model", _MODELS[real])
        try:
            stack.start()
            say("ready", f"{stack.base_url} after {time.monotonic() - started:.1f} s")
            with Client(stack.base_url, key.key) as client:
                Demo(stack, client).hold()
        except (DemoError, ProcessError, RpcError, AwayError) as error:
            click.echo(f"The demo failed. {error}", err=True)
            return 1
        finally:
            stack.stop()
    say("stop", f"everything, after {time.monotonic() - started:.1f} s")
    return 0


_MODELS = {
    True: "SmolLM2 on this machine: real, very small, and often wrong",
    False: "a scripted double that echoes (make local-model installs a real one)",
}

if __name__ == "__main__":
    sys.exit(main())
