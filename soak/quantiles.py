"""Percentiles, and figures over equal times."""

from collections import Counter
from collections.abc import Callable, Sequence

Points = Sequence[tuple[float, float]]
"""When, in seconds of the soak, and what."""


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def per_second(samples: Points, seconds: float, count: int) -> Points:
    """How many there were a second in each of `count` equal times."""
    wide = seconds / count
    held = Counter(min(int(at / wide), count - 1) for at, _ in samples)
    return [((number + 0.5) * wide, held[number] / wide) for number in range(count)]


def buckets(
    samples: Points, seconds: float, count: int, figure: Callable[[list[float]], float]
) -> Points:
    """A figure of the samples of each of `count` equal times; none where there are no samples."""
    wide = seconds / count
    held: dict[int, list[float]] = {}
    for at, value in samples:
        held.setdefault(int(at / wide), []).append(value)
    return [((number + 0.5) * wide, figure(held[number])) for number in sorted(held)]
