"""Logs: a JSON object a line, fields by name only, silent on replay."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from restate import Context

from chassis import logs
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from chassis.serve import implements
from chassis.steps import step
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio


class Nothing(Message):
    """Nothing."""


service = Component("LogService", Kind.SERVICE, REQUEST)
speak = service.rpc("Speak", Nothing, Nothing)

log = logs.get("tests.of.logs")


class Speaking:
    @implements(speak)
    async def speak(self, ctx: Context, request: Nothing) -> Nothing:
        """Say something before, in and after a step."""
        log.info("before")
        await step(ctx, "one", self.act, int)
        log.info("between")
        await step(ctx, "two", self.act, int)
        log.info("after")
        return Nothing()

    async def act(self) -> int:
        log.info("in a step")
        return 1


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to standard error; pytest's own handlers are back afterwards."""
    root, written = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    logs.set_up("INFO")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def read(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize("suspends", [False, True], ids=["live", "replay"])
async def test_nothing_is_said_twice(suspends: bool, lines: io.StringIO) -> None:
    """Though every handler is run again from its journal."""
    async with FakePlatform(suspends=suspends) as platform:
        platform.serve(service, Speaking())
        await platform.call(speak, Nothing())
    said = [line["message"] for line in read(lines)]
    assert said.count("in a step") == 2
    assert said.count("between") == 1
    assert said.count("after") == 1
    assert said.count("before") == 1


def test_a_line_has_what_was_named_and_nothing_else(lines: io.StringIO) -> None:
    log.warning("turn finished", extra=logs.fields(run_id="run_1", tokens=3, tenant=None))
    log.info("with the text of a user", extra={"content": "a secret"})
    first, second = read(lines)
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning", "logger": "tests.of.logs", "message": "turn finished",
        "run_id": "run_1", "tokens": 3,
    }  # fmt: skip
    assert "a secret" not in json.dumps(second)


def test_an_exception_stays_on_its_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines 🫖")
    except ValueError:
        log.exception("failed")
    [line] = read(lines)
    assert line["level"] == "error"
    assert "two\nlines 🫖" in line["exception"]


def test_a_library_that_tells_every_call_is_quiet(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://vendor/secret")
    assert read(lines) == []
