"""A second edge before the same platform, as production has several."""

from collections.abc import Generator
from contextlib import contextmanager

from devstack.stack import START_SECONDS
from tests.support.stack import RunningStack


@contextmanager
def second_edge(stack: RunningStack) -> Generator[str]:
    """The base URL of another edge with the settings of the stack's own."""
    process, url = stack.processes.another_edge()
    process.start()
    try:
        process.wait_ready(lambda: stack.processes.is_there(f"{url}/healthz"), START_SECONDS)
        yield url
    finally:
        process.stop()
