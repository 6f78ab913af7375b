"""Many writers at one thread, faster than it answers: none is lost and the order is kept."""

from typing import Any

import anyio
import pytest

from tests.support.conversation import Conversation, Json, RefusedError, model_of, user_of
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WRITERS = 16


@pytest.fixture(scope="session")
def written(pytestconfig: pytest.Config) -> int:
    """How many messages: some in `make test`, thousands with `--messages 5000`."""
    option: Any = pytestconfig.getoption("--messages")
    return int(option)


async def write(thread: Conversation, writer: int, count: int, refused: list[str]) -> None:
    """Send messages one after the other, each again while the queue is full."""
    for number in range(count):
        text = f"{writer}:{number}"
        while True:
            try:
                await thread.accept(text, clientMessageId=text)
                break
            except RefusedError as error:
                refused.append(error.reason)
                if error.is_terminal:
                    raise
                await anyio.sleep(0.05)


async def every_event(thread: Conversation) -> list[Json]:
    """The log, page by page."""
    found: list[Json] = []
    while True:
        answer = await thread.pull(found[-1]["sequence"] if found else 0, limit=200)
        found += answer["events"]
        if not answer["events"]:
            return found


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_and_every_writers_order_is_kept(
    live_stack: RunningStack, written: int
) -> None:
    each = written // WRITERS
    async with model_of(live_stack) as model, user_of(live_stack) as alice:
        await model.pace(first_token_delay_ms=0, token_delay_ms=0)
        thread = await alice.create()
        refused: list[str] = []
        async with anyio.create_task_group() as group:
            for writer in range(WRITERS):
                group.start_soon(write, thread, writer, each, refused)

        async def idle() -> bool:
            return (await thread.state())["status"] == "IDLE"

        await live_stack.wait_until(idle, 300)
        events = await every_event(thread)

    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    asked = [e["message"]["content"] for e in events if e["type"] == "message.created"]
    assert len(asked) == len(set(asked)) == each * WRITERS
    for writer in range(WRITERS):
        own = [text for text in asked if text.startswith(f"{writer}:")]
        assert own == [f"{writer}:{number}" for number in range(each)]
    answers = [e["message"]["content"] for e in events if e["type"] == "message.completed"]
    assert answers == [f"You said: {text}" for text in asked]
    assert set(refused) <= {"thread.queue_full"}
