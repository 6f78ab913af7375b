"""Durable tests run twice: on the platform as deployed, and with replay forced at every step.

A module that needs a platform of another kind overrides `stack`; `model` and `alice` follow it.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.openrouter.control import OpenRouterControl
from tests.support.conversation import User, model_of, user_of
from tests.support.stack import RunningStack, running_stack

LANES = ("live_stack", "replaying_stack")


@pytest.fixture(scope="session", params=LANES, ids=("live", "replay"))
def stack(request: pytest.FixtureRequest) -> RunningStack:
    """The shared platform, in both lanes."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def mortal_stack() -> Iterator[RunningStack]:
    """A platform whose processes tests kill; each test leaves all of them running."""
    # A busy machine takes its time to start a process; what waits for one may not give up.
    patience = {"CONVERSATION_CANCEL_GRACE_SECONDS": "60", "GENERATION_LEASE_SECONDS": "60"}
    with running_stack(environment=patience) as stack:
        yield stack


@pytest.fixture(scope="session")
def impatient_stack() -> Iterator[RunningStack]:
    """A platform with short deadlines, which tests wait for."""
    deadlines = {
        "OPENROUTER_FIRST_TOKEN_TIMEOUT_SECONDS": "1",
        "OPENROUTER_INTER_TOKEN_TIMEOUT_SECONDS": "1",
        "GENERATION_ATTEMPTS": "2",
        "GENERATION_LEASE_SECONDS": "3",
        "CONVERSATION_RUN_DEADLINE_SECONDS": "6",
        "CONVERSATION_LOST_GRACE_SECONDS": "1",
        "CONVERSATION_CANCEL_GRACE_SECONDS": "1",
        "EDGE_COMMENT_SECONDS": "0.5",
    }
    with running_stack(environment=deadlines) as stack:
        yield stack


@pytest.fixture(scope="session")
def narrow_stack() -> Iterator[RunningStack]:
    """A platform with room for few runs, and without the bus that carries live text."""
    environment = {
        "GENERATION_STREAMS": "100",
        "OPENROUTER_INTER_TOKEN_TIMEOUT_SECONDS": "600",  # models are held for as long as it takes
        "BUS_PATH": "",
    }
    with running_stack(environment=environment, concurrent_invocations=150) as stack:
        yield stack


@pytest.fixture
async def model(stack: RunningStack) -> AsyncIterator[OpenRouterControl]:
    """The model behind the platform, without scripts and calls of earlier tests."""
    async with model_of(stack) as model:
        yield model


@pytest.fixture
async def alice(stack: RunningStack) -> AsyncIterator[User]:
    """A user."""
    async with user_of(stack) as alice:
        yield alice


@pytest.fixture
async def bob(stack: RunningStack) -> AsyncIterator[User]:
    """Another user of the same tenant."""
    async with user_of(stack, stack.bob) as bob:
        yield bob


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests that stop a run out of the lane where every handler is suspended."""
    left_out = [item for item in items if _is_replay_of_live_test(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_replay_of_live_test(item: pytest.Item) -> bool:
    if item.get_closest_marker("live_only") is None:
        return False
    call = getattr(item, "callspec", None)
    return call is not None and call.params.get("stack") == "replaying_stack"
