"""An edge in the test's own process, and the probe behind real ones, one for all that kill none."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.issuer import Issuer, serving
from tests.support.edges import EdgeUnderTest, running_edge
from tests.support.fronts import Front, krakend_binary, running_krakend
from tests.support.ingress import FakeIngress, fake_ingress
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


@pytest.fixture(scope="module")
async def issuer(anyio_backend: str) -> AsyncIterator[Issuer]:
    """A real issuer, one for a file."""
    async with serving(Issuer()) as issuer:
        yield issuer


@pytest.fixture
async def ingress() -> AsyncIterator[FakeIngress]:
    """Restate's ingress as the edge sees it; it remembers what it is sent."""
    async with fake_ingress() as ingress:
        yield ingress


@pytest.fixture
async def edge(issuer: Issuer, ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    """An edge in the test's own process, between the two."""
    async with running_edge(ingress, issuer) as edge:
        yield edge
