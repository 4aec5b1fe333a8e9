"""Endurance: both ends are compared as if the machine had one speed all the time."""

import pytest

from tests.bench.costs import Cost
from tests.bench.endurance import Round, ahead, by_name, ends
from tests.bench.report import size_table
from tests.bench.roll_out import Run


def test_a_machine_that_became_half_as_fast_is_no_growth() -> None:
    first, last = ends([done(500, 0.3)] * 50 + [done(1_000, 0.6)] * 50)
    assert ahead([one.us for one in first], [one.us for one in last]) == pytest.approx(1)


def test_a_step_that_became_dearer_on_the_same_machine_is_growth() -> None:
    first, last = ends([done(500 + number, 0.3) for number in range(100)])
    assert ahead([one.us for one in first], [one.us for one in last]) == pytest.approx(594.5 / 504.5)


def test_of_many_rounds_ten_are_an_end_and_of_few_a_half() -> None:
    assert [len(end) for end in ends([done(500, 0.3)] * 100)] == [10, 10]
    assert [len(end) for end in ends([done(500, 0.3)] * 5)] == [2, 2]
    assert [len(end) for end in ends([done(500, 0.3)])] == [1, 1]


def test_what_was_not_there_at_the_start_had_no_size_then_and_the_largest_at_the_end_comes_first() -> None:
    grown = by_name({"start": {"a": 1024}, "middle": {"a": 1024, "b": 2048}, "end": {"a": 1024, "b": 4096}})
    assert grown == {
        "a": {"start": 1024, "middle": 1024, "end": 1024},
        "b": {"start": 0, "middle": 2048, "end": 4096},
    }
    table = size_table("endurance", grown)
    assert [list(column.cells) for column in table.columns] == [["b", "a"], ["0", "1"], ["2", "1"], ["4", "1"]]


def done(us: float, calibrated: float) -> Round:
    cost = Cost({"deployer-1": us}, {}, 0, 0, 0, 1)
    return Round(Run("roll-1", 2_000, 0, 0, 1, cost), calibrated)
