"""Windows of a minute count exactly, start anew, and stay bounded."""

import pytest

from edge import rates
from edge.rates import Windows


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    return now


def test_a_window_counts_and_starts_anew_after_a_minute(clock: list[float]) -> None:
    windows = Windows()
    assert windows.hit("a") == (1, 60)
    clock[0] += 59
    assert windows.hit("a") == (2, 1)
    clock[0] += 1
    assert windows.hit("a") == (1, 60)


def test_keys_are_counted_apart(clock: list[float]) -> None:
    windows = Windows()
    windows.hit("a")
    assert windows.hit("b") == (1, 60)


def test_the_oldest_window_makes_room_for_a_new_key(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_MOST_KEYS", 2)
    windows = Windows()
    for key in ("a", "b", "c"):
        clock[0] += 1
        windows.hit(key)
    assert windows.hit("b")[0] == 2
    assert windows.hit("a")[0] == 1
