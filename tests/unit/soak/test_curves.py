"""Memory that grows is found, and memory that breathes is not."""

import random
from pathlib import Path

import pytest

from soak.curves import WARM_SECONDS, Life, growth_of, megabytes_below


def life(minutes: int, *, warm: float = 40, per_hour: float = 0, noise: float = 0) -> Life:
    """One that takes 100 MB when warm, with a sample every five seconds."""
    dice = random.Random(7)
    samples: list[tuple[float, float]] = []
    for at in range(0, minutes * 60, 5):
        filling = warm * min(at / WARM_SECONDS, 1)
        grown = per_hour * max(at - WARM_SECONDS, 0) / 3600
        samples.append((at, 100 - warm + filling + grown + dice.uniform(-noise, noise)))
    return Life("handlers", 1, samples)


def test_memory_that_grows_after_the_first_ten_minutes_is_found() -> None:
    growth = growth_of(life(60, per_hour=60))
    assert growth is not None
    assert growth.too_much
    assert growth.per_hour == pytest.approx(60, rel=0.05)


def test_memory_may_grow_in_the_first_ten_minutes_and_breathe_later() -> None:
    growth = growth_of(life(60, warm=90, noise=15))
    assert growth is not None
    assert not growth.too_much


def test_a_short_life_is_not_judged() -> None:
    assert growth_of(life(14, per_hour=1000)) is None
    assert growth_of(life(16, per_hour=1000)) is not None


def test_processor_use_is_what_was_used_between_samples() -> None:
    process = Life("edge", 1, cpu=[(0, 1.0), (5, 3.5), (10, 3.5)])
    assert process.load() == [(5, 0.5), (10, 0)]


def test_the_size_of_a_folder_is_that_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "one").write_bytes(bytes(1_000_000))
    (tmp_path / "inner" / "two").write_bytes(bytes(500_000))
    assert megabytes_below(tmp_path) == 1.5
