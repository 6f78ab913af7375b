"""Durable tests run twice: on the platform as deployed, and with replay forced at every step."""

import pytest

from tests.support.stack import RunningStack

LANES = ("live_stack", "replaying_stack")


@pytest.fixture(scope="session", params=LANES, ids=("live", "replay"))
def stack(request: pytest.FixtureRequest) -> RunningStack:
    """The shared platform, in both lanes."""
    return request.getfixturevalue(request.param)


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
