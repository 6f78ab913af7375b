"""`make demo` keeps its promise: it checks itself and tells by its exit code."""

from devstack.demo import main


def test_the_demo_ends_well() -> None:
    assert main() == 0
