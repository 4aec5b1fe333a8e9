"""Frozen dataclasses that are frozen by mypy alone: compared and hashed by value, as others."""

from dataclasses import replace

import pytest

from shared.frozen import light_dataclass


@light_dataclass(frozen=True, slots=True)
class Place:
    site: str
    app: str = "shop"


def test_values_are_compared_and_hashed_by_what_they_hold() -> None:
    assert Place("oslo") == Place("oslo", "shop") != Place("oslo", "desk")
    assert {Place("oslo"), Place("oslo")} == {Place("oslo")}
    assert replace(Place("oslo"), app="desk") == Place("oslo", "desk")


def test_mypy_forbids_to_change_one() -> None:
    """`make types` fails here once it does not: an ignored error that is none is an error itself."""
    Place("oslo").site = "rome"  # type: ignore[misc]


def test_it_is_for_frozen_ones_alone() -> None:
    with pytest.raises(TypeError, match="take dataclass"):

        @light_dataclass(frozen=False)
        class Changeable:
            site: str
