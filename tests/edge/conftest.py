"""The probe behind real processes, one for all tests of the edge that do not kill any."""

from collections.abc import Iterator

import pytest

from tests.support.fronts import Front, krakend_binary, running_krakend
from tests.support.probe_stack import ProbeStack, probe_stack
from tests.support.stack import RunningStack


@pytest.fixture(scope="session")
def probe_live() -> Iterator[ProbeStack]:
    """Restate, handlers and edge as processes; clients have two seconds to send a body."""
    with probe_stack({"EDGE_BODY_SECONDS": "2"}) as stack:
        yield stack


@pytest.fixture(scope="session", params=["edge", "krakend"])
def front(request: pytest.FixtureRequest, live_stack: RunningStack) -> Iterator[Front]:
    """The platform from outside: once at the edge, and once through the real KrakenD."""
    if request.param == "edge":
        yield Front(live_stack.base_url, live_stack.dave.key, is_edge=True)
        return
    binary = krakend_binary()
    if binary is None:
        pytest.skip("no krakend: KRAKEND_BIN is not set, and none is on the PATH")
    with running_krakend(binary, live_stack.base_url) as url:
        yield Front(url, live_stack.dave.key, is_edge=False)
