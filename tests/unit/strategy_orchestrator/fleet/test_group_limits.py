"""Places in groups are given so that no group changes more sites than it may, whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.fleet.group_limits import UNGROUPED, Room, Share, allot, full, told


def room(name: str, limit: int | str, running: int = 0, sites: int = 10, apply_type: str = "parallel") -> Room:
    return Room(name, apply_type, limit, sites, running)


@pytest.mark.parametrize(
    ("limit", "apply_type", "sites", "most"),
    [(3, "parallel", 10, 3), ("20%", "parallel", 10, 2), ("20%", "parallel", 3, 1), (9, "serial", 10, 1)],
)
def test_a_limit_is_a_number_a_share_of_the_groups_sites_or_one(
    limit: int | str, apply_type: str, sites: int, most: int
) -> None:
    assert room("north", limit, sites=sites, apply_type=apply_type).limit == most


def test_a_limit_that_was_lowered_below_what_runs_lets_nobody_in() -> None:
    assert room("north", 2, running=5).free == 0


def test_sites_without_a_group_are_limited_by_their_stage_alone() -> None:
    shares = [Share("north", 9, 0), Share(UNGROUPED, 9, 1)]
    assert allot(10, shares, {"north": room("north", 2, running=2)}) == {UNGROUPED: 9}


def test_a_full_group_is_named_with_its_numbers() -> None:
    rooms = {name: room(name, 2, running=2) for name in ("a", "b", "c", "d")}
    shares = [Share(name, 1, 0) for name in rooms]
    assert told(full(shares[:1], rooms)) == "group a: 2 of 2 sites change already"
    assert told(full(shares, rooms)) == "groups a: 2 of 2, b: 2 of 2, c: 2 of 2 and 1 more sites change already"
    assert told([]) == ""


groups = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(1, 8), st.integers(0, 10)), min_size=1)


@given(
    groups,
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", UNGROUPED]), st.integers(0, 30)),
    st.integers(0, 200),
)
def test_no_place_is_given_twice_and_none_is_left_that_somebody_waits_for(
    limits: dict[str, tuple[int, int]], waiting: dict[str, int], places: int
) -> None:
    rooms = {name: room(name, limit, running) for name, (limit, running) in limits.items()}
    shares = [Share(name, count, 0) for name, count in waiting.items()]
    given_out = allot(places, shares, rooms)
    able = {s.group: min(s.waiting, rooms[s.group].free) if s.group in rooms else s.waiting for s in shares}
    assert all(0 < count <= able[name] for name, count in given_out.items())
    assert sum(given_out.values()) == min(places, sum(able.values()))
