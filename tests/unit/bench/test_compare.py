"""Two commits are compared round by round."""

from bench.compare import Row, rows_of, table


def test_ratios_are_taken_within_rounds_so_that_a_slower_machine_hits_both() -> None:
    pairs = [({"rps": 100.0}, {"rps": 120.0}), ({"rps": 50.0}, {"rps": 60.0})]
    (row,) = rows_of(pairs)
    assert row.ratios == (1.2, 1.2)


def test_goals_are_compared_against_the_direct_handler_of_the_same_round() -> None:
    slow = {"turn.rps.16": 16.0, "direct.rps.16": 128.0}
    quick = {"turn.rps.16": 48.0, "direct.rps.16": 256.0}
    rows = rows_of([(slow, quick)])
    assert [(row.name, row.ratios) for row in rows] == [
        ("whole turns/s at c=16 against direct requests/s", (1.5,)),
        ("direct.rps.16", (2.0,)),
        ("turn.rps.16", (3.0,)),
    ]


def test_what_rounds_do_not_agree_on_is_not_shown_as_a_difference() -> None:
    assert Row("p50", 1, 1, (0.8, 0.9, 0.9, 0.9, 1.1)).shown == ""
    assert Row("p50", 1, 1, (0.8, 0.9, 0.9, 0.9, 0.9)).shown == "less"
    assert Row("p50", 1, 1, (1.8, 1.9, 1.9, 1.9, 1.9)).shown == "more"


def test_few_rounds_show_nothing_because_they_agree_by_chance() -> None:
    assert Row("p50", 1, 1, (0.8, 0.9)).shown == ""


def test_a_figure_that_one_commit_lacks_or_that_is_zero_is_left_out() -> None:
    pairs = [({"old": 1.0, "both": 2.0, "lost": 0.0}, {"new": 1.0, "both": 1.0, "lost": 0.0})]
    assert [row.name for row in rows_of(pairs)] == ["both"]


def test_the_table_has_a_line_for_each_figure() -> None:
    lines = table([Row("p50", 10, 5, (0.4, 0.5, 0.5, 0.5, 0.6))]).splitlines()
    assert lines[2:] == ["| p50 | 10 | 5 | 0.500 | 0.400 to 0.600 | less |"]
