"""`compose.yaml` run as it stands, seen by a client."""

import subprocess
from collections.abc import AsyncIterator

import pytest

from deploy.image_test.stack import ComposeStack
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer

pytestmark = pytest.mark.anyio

TEXT = "It waits in the log until somebody comes back for it."
GATE = "in-the-middle"


@pytest.fixture
async def model(stack: ComposeStack) -> AsyncIterator[OpenRouterControl]:
    """The double of OpenRouter, without what earlier tests told it."""
    control = stack.model()
    await control.reset()
    yield control
    await control.aclose()


async def test_a_conversation_is_held_through_the_containers(
    stack: ComposeStack, model: OpenRouterControl
) -> None:
    await model.script(Answer(text=TEXT, gate=GATE, hold_after=3), contains="Where is my message?")
    await stack.call("create-thread", conversationKey="held")
    await ask(stack, "held", "Where is my message?")
    kinds: list[str] = []
    async for kind, _ in stack.events("held"):
        kinds.append(kind)
        # Live text comes over the bus: the socket that two containers share.
        if kind == "message.delta":
            await model.release(GATE)
        if kind == "run.completed":
            break
    assert "message.delta" in kinds
    assert await stack.answered("held", 2) == ["Where is my message?", TEXT]


async def test_a_run_outlives_the_container_that_it_began_in(
    stack: ComposeStack, model: OpenRouterControl
) -> None:
    await model.script(
        Answer(text=TEXT, gate="never", hold_after=3),
        Answer(text=TEXT),
        contains="And when you die?",
    )
    await stack.call("create-thread", conversationKey="outlived")
    await ask(stack, "outlived", "And when you die?")
    await model.wait(calls=1, waiting=True)
    stack.podman("kill", stack.container("handlers"))
    stack.podman("start", stack.container("handlers"))
    assert await stack.answered("outlived", 2) == ["And when you die?", TEXT]


async def test_conversations_outlive_restate_s_container(stack: ComposeStack) -> None:
    await stack.call("create-thread", conversationKey="kept", name="Kept")
    stack.podman("restart", stack.container("restate"))
    assert (await stack.call("conversation-state", conversationKey="kept"))["name"] == "Kept"


def test_networks_keep_apart_what_has_no_business_with_each_other(stack: ComposeStack) -> None:
    assert reaches(stack, "edge", "restate", 8080)
    assert reaches(stack, "handlers", "local-cloud", 8090)
    assert not reaches(stack, "local-cloud", "restate", 9070)
    assert not reaches(stack, "krakend", "restate", 8080)


def test_nothing_is_published_beyond_loopback(stack: ComposeStack) -> None:
    published = {
        service: stack.podman("port", stack.container(service)).stdout.splitlines()
        for service in ("krakend", "restate", "edge", "local-cloud", "handlers")
    }
    assert not published.pop("handlers")
    for service, lines in published.items():
        assert lines, service
        assert all(" -> 127.0.0.1:" in line for line in lines), service


def reaches(stack: ComposeStack, service: str, host: str, port: int) -> bool:
    """Whether a program in the service's container can connect to the other."""
    connect = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    done: subprocess.CompletedProcess[str] = stack.podman(
        "exec", stack.container(service), "python3", "-c", connect, check=False
    )
    return done.returncode == 0


async def ask(stack: ComposeStack, conversation: str, text: str) -> None:
    """Send a message as the user."""
    message = {"role": "user", "content": text}
    await stack.call("send-message", conversationKey=conversation, userMessage=message)
