"""Places in groups are given so that no group changes more sites than it may, whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.fleet.group_limits import (
    UNGROUPED,
    GroupQueue,
    GroupUsage,
    allot,
    full,
    full_groups_message,
)


def group(name: str, limit: int | str, running: int = 0, sites: int = 10, apply_type: str = "parallel") -> GroupUsage:
    return GroupUsage(name, apply_type, limit, sites, running)


@pytest.mark.parametrize(
    ("limit", "apply_type", "sites", "most"),
    [(3, "parallel", 10, 3), ("20%", "parallel", 10, 2), ("20%", "parallel", 3, 1), (9, "serial", 10, 1)],
)
def test_a_limit_is_a_number_a_share_of_the_groups_sites_or_one(
    limit: int | str, apply_type: str, sites: int, most: int
) -> None:
    assert group("north", limit, sites=sites, apply_type=apply_type).limit == most


def test_a_limit_that_was_lowered_below_what_runs_lets_nobody_in() -> None:
    assert group("north", 2, running=5).free == 0


def test_sites_without_a_group_are_limited_by_their_stage_alone() -> None:
    queues = [GroupQueue("north", 9, 0), GroupQueue(UNGROUPED, 9, 1)]
    assert allot(10, queues, {"north": group("north", 2, running=2)}) == {UNGROUPED: 9}


def test_a_full_group_is_named_with_its_numbers() -> None:
    groups = {name: group(name, 2, running=2) for name in ("a", "b", "c", "d")}
    queues = [GroupQueue(name, 1, 0) for name in groups]
    assert full_groups_message(full(queues[:1], groups)) == "group a: 2 of 2 sites change already"
    assert (
        full_groups_message(full(queues, groups))
        == "groups a: 2 of 2, b: 2 of 2, c: 2 of 2 and 1 more sites change already"
    )
    assert full_groups_message([]) == ""


groups = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(1, 8), st.integers(0, 10)), min_size=1)


@given(
    groups,
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", UNGROUPED]), st.integers(0, 30)),
    st.integers(0, 200),
)
def test_no_place_is_given_twice_and_none_is_left_that_somebody_waits_for(
    limits: dict[str, tuple[int, int]], waiting: dict[str, int], slots: int
) -> None:
    groups = {name: group(name, limit, running) for name, (limit, running) in limits.items()}
    queues = [GroupQueue(name, count, 0) for name, count in waiting.items()]
    given_out = allot(slots, queues, groups)
    able = {s.group: min(s.waiting, groups[s.group].free) if s.group in groups else s.waiting for s in queues}
    assert all(0 < count <= able[name] for name, count in given_out.items())
    assert sum(given_out.values()) == min(slots, sum(able.values()))
