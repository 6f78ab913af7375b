"""The probe behind real processes, one for all tests of the edge that do not kill any."""

from collections.abc import Iterator

import pytest

from tests.support.fronts import Front, krakend_binary, running_krakend
from tests.support.probe_stack import ProbeStack, probe_stack
from tests.support.stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def probe_live() -> Iterator[ProbeStack]:
    """Restate, handlers and edge as processes; clients have two seconds to send a body."""
    with probe_stack({"EDGE_BODY_SECONDS": "2"}) as stack:
        yield stack


@pytest.fixture(scope="session")
def edge_front(live_stack: RunningStack) -> Front:
    """The edge itself."""
    return Front(live_stack.base_url, live_stack.dave.key, is_edge=True)


@pytest.fixture(scope="session")
def krakend_front() -> Iterator[Front]:
    """A real KrakenD in front of an edge that leaves CORS to it."""
    binary = krakend_binary()
    if binary is None:
        pytest.skip("no krakend: KRAKEND_BIN is not set, and none is on the PATH")
    with (
        running_stack(environment={"EDGE_CORS": "false"}) as stack,
        running_krakend(binary, stack.base_url) as url,
    ):
        yield Front(url, stack.dave.key, is_edge=False)


@pytest.fixture(scope="session", params=["edge", "krakend"])
def front(request: pytest.FixtureRequest) -> Front:
    """The platform from outside: once at the edge, and once through the real KrakenD."""
    return request.getfixturevalue(f"{request.param}_front")
