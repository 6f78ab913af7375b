"""Fixtures of the whole test run. Stacks are started once and shared; see `support/stack.py`."""

import asyncio
import functools
import inspect
from collections.abc import Generator, Iterator
from typing import Any

import hypothesis
import pytest

from chassis.serve import UNDECLARED
from tests.support.stack import RunningStack, running_stack

# A loaded machine is slow now and then; that is no failure of what is tested.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many generated calls the contract is tried with, and how many messages many writers send
    into one thread."""
    parser.addoption("--cases", type=int, default=2_000)
    parser.addoption("--messages", type=int, default=320)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail an asynchronous test that waits for ever at the line where it waits, a little before
    pytest-timeout would, which cannot see where."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return (yield)
    marker = pyfuncitem.get_closest_marker("timeout")
    seconds = float(marker.args[0] if marker else pyfuncitem.config.getini("timeout")) - 5

    @functools.wraps(test)
    async def bounded(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    pyfuncitem.obj = bounded
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the platform does."""
    return "asyncio"


@pytest.fixture(scope="session")
def live_stack() -> Iterator[RunningStack]:
    """The platform as it is deployed, one for the whole run. Do not kill its processes.

    Its edge shows the page of the API and the web chat too, which are for development.
    """
    with running_stack(environment={"EDGE_API_PAGE": "true", "EDGE_CONSOLE": "true"}) as stack:
        yield stack
        assert UNDECLARED not in stack.log("handlers"), "a handler broke its contract"


@pytest.fixture(scope="session")
def replaying_stack() -> Iterator[RunningStack]:
    """The platform with every handler suspended at every await, so that each step is a replay."""
    with running_stack(force_replay=True) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(live_stack: RunningStack) -> RunningStack:
    """The shared platform."""
    return live_stack


@pytest.fixture
def fresh_stack() -> Iterator[RunningStack]:
    """A platform for one test alone, which may kill its processes."""
    with running_stack() as stack:
        yield stack
