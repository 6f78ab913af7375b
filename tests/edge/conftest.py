"""The probe behind real processes, one for all tests of the edge that do not kill any."""

from collections.abc import Iterator

import pytest

from tests.support.probe_stack import ProbeStack, probe_stack


@pytest.fixture(scope="session")
def probe_live() -> Iterator[ProbeStack]:
    """Restate, handlers and edge as processes; clients have two seconds to send a body."""
    with probe_stack({"EDGE_BODY_SECONDS": "2"}) as stack:
        yield stack
