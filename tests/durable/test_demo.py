"""`make demo` keeps its promise: it checks itself and tells by its exit code."""

import pytest

from devstack.demo import main


def test_the_demo_ends_well_on_the_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.local_model.WEIGHTS", "no_such_package")
    assert main() == 0
