"""Readers of the soak find, while they read, what is missing, doubled or changed."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from soak.client import AwayError
from soak.history import History, Json, Said, Story
from soak.readers import GAPLESS, LIVE, Reader

pytestmark = pytest.mark.anyio


class Platform:
    """Streams what it is told to; each visit ends with a broken line."""

    def __init__(self, *visits: list[tuple[str, Json]]) -> None:
        self.visits = list(visits)
        self.asked: list[int] = []

    async def call(self, method: str, request: Json) -> Json:
        """See `Client.call`."""
        raise AssertionError("it streams")

    async def events(self, key: str, after: int) -> AsyncGenerator[tuple[str, Json]]:
        """See `Client.events`."""
        self.asked.append(after)
        for each in self.visits.pop(0):
            yield each
        raise AwayError


def happened(sequence: int, kind: str, **more: Any) -> tuple[str, Json]:
    return kind, {"sequence": sequence, "type": kind, "runId": "r1", "attempt": 1, **more}


def delta(offset: int, text: str) -> tuple[str, Json]:
    return "message.delta", {"runId": "r1", "attempt": 1, "offset": offset, "text": text}


CREATED = happened(1, "message.created")
ANSWERED = happened(2, "message.completed", message={"content": "one two"})
ENDED = happened(3, "run.completed")


async def read(*visits: list[tuple[str, Json]]) -> tuple[History, Story, Platform]:
    history, platform = History(), Platform(*visits)
    story = Story("a thread", owner=0, closed=True)
    said = Said(0, "c1", "text", 0.0)
    story.said["c1"] = said
    story.accept(said, {"runId": "r1", "messageId": "m1"}, 0.1)
    await Reader(platform, history, story, "a reader").run(streams=True)
    return history, story, platform


def promises(history: History) -> list[str]:
    return [finding.promise for finding in history.findings]


async def test_an_approval_is_decided_once_however_many_readers_see_it() -> None:
    asks = happened(2, "tool.approval_required", approval={"approvalId": "apr_1"})
    answered, ended = happened(3, "message.completed", message={}), happened(4, "run.completed")
    visit = [CREATED, asks, answered, ended]
    history, story, _ = await read(visit)
    await Reader(Platform(visit), history, story, "another").run(streams=True)
    assert (story.asked.get_nowait(), story.asked.empty()) == ("apr_1", True)
    assert promises(history) == []


async def test_a_reader_goes_on_where_it_stopped_and_finds_nothing() -> None:
    history, story, platform = await read(
        [CREATED, delta(0, "one")], [delta(0, "one t"), ANSWERED], [ENDED]
    )
    assert platform.asked == [0, 1, 2]
    assert promises(history) == []
    assert story.seen[0].last == 3
    assert len(history.turns) == 1


@pytest.mark.parametrize(
    "events",
    [[CREATED, ENDED], [CREATED, CREATED, ANSWERED, ENDED], [CREATED, ENDED, ANSWERED]],
    ids=["missing", "twice", "another order"],
)
async def test_an_event_that_is_not_the_next_is_found(events: list[tuple[str, Json]]) -> None:
    history, _, _ = await read(events)
    assert GAPLESS in promises(history)


@pytest.mark.parametrize(
    "heard",
    [[delta(3, "two")], [delta(0, "one"), delta(1, "xx")], [delta(0, "two")]],
    ids=["a gap", "changed", "another than the answer"],
)
async def test_live_text_that_is_not_the_answer_is_found(heard: list[tuple[str, Json]]) -> None:
    history, _, _ = await read([CREATED, *heard, ANSWERED, ENDED])
    assert promises(history) == [LIVE]
