"""The report says what was seen, in pictures that are well-formed."""

import xml.etree.ElementTree as ET

import pytest

from soak.history import Mark
from soak.pictures import BLUE, Frame, Series, chart, lanes
from soak.quantiles import buckets, percentile

FRAME = Frame(600, [Mark("kill", "edge", 60, 61), Mark("fault", "429", 100, 130)])


def elements(svg: str, name: str) -> list[ET.Element]:
    """The elements of one kind; it fails where the picture is no XML."""
    return list(ET.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{name}"))


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_larger_value_is_drawn_higher_and_a_later_one_further_right(logarithmic: bool) -> None:
    line = Series("a < b", BLUE, [[(0, 10), (300, 1000), (600, 100)]])
    svg = chart(FRAME, "Curves & more", [line], unit="ms", logarithmic=logarithmic)
    (drawn,) = elements(svg, "polyline")
    points = [tuple(map(float, each.split(","))) for each in drawn.attrib["points"].split()]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x1 < x2 < x3
    assert y2 < y3 < y1


def test_a_picture_of_nothing_is_one() -> None:
    assert elements(chart(FRAME, "Nothing", [], unit="MB"), "polyline") == []


def test_each_trouble_has_a_bar_in_its_lane() -> None:
    svg = lanes(FRAME, "Trouble", [("edge", BLUE, FRAME.marks[:1]), ("faults", BLUE, [])])
    bars = [bar for bar in elements(svg, "rect") if bar.attrib["fill"] == BLUE]
    assert len(bars) == 1


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, part) for part in (0, 0.5, 0.99)] == [1, 51, 100]


def test_a_bucket_holds_what_happened_in_its_time_and_an_empty_one_is_left_out() -> None:
    samples = [(1.0, 5.0), (9.0, 7.0), (25.0, 1.0)]
    assert buckets(samples, 30, 3, max) == [(5, 7), (25, 1)]
