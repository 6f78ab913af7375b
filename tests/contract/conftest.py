"""How much the contract is tried."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def cases(pytestconfig: pytest.Config) -> int:
    """How many generated calls: thousands in `make test`, ten times as many after `make soak`."""
    option: Any = pytestconfig.getoption("--cases")
    return int(option)
