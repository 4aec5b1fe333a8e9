"""What can be asked of the bench."""

import pytest

from tests.bench.__main__ import parse, wanted
from tests.bench.bench import Bench
from tests.bench.figures import FIGURES, chosen


def names(*arguments: str) -> list[str]:
    return [figure.name for figure in wanted(parse(list(arguments)))]


def test_nothing_named_means_all_but_the_profile() -> None:
    assert names() == [figure.name for figure in FIGURES if figure.name != "profile"]


def test_names_may_stand_between_commas_and_come_in_the_order_of_the_table() -> None:
    assert names("peers,steps") == ["steps", "peers"]


def test_sites_alone_mean_steps() -> None:
    assert names("--sites", "1000", "10000") == ["steps"]


def test_rounds_alone_mean_endurance_which_takes_sites_too() -> None:
    assert names("--rounds", "4") == ["endurance"]
    assert names("endurance", "--rounds", "4", "--sites", "50") == ["endurance"]


def test_only_what_has_the_size_of_its_goal_is_kept() -> None:
    assert Bench(3).as_told
    assert not Bench(3, sizes=(50,)).as_told
    assert not Bench(3, rounds=4).as_told


def test_every_name_that_is_unknown_is_said_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="no such figure: stepz, http2; there are steps"):
        chosen(["stepz", "steps", "http2"])


def test_no_two_figures_share_a_name() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
