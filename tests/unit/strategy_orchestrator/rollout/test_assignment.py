"""Stages take their sites from everywhere by its share, always the same ones for the same strategy."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.rollout.assignment import SHARES_IN_ALL, assign_stages, matches, shares, spread
from services.strategy_orchestrator.strategies.site import Candidate
from shared.messages.strategy import StrategySpec


def spec(**fields: object) -> StrategySpec:
    facts = {"name": "s", "type": "apply", "app": "shop", "version": "2.0", "selection": {"all": True}, **fields}
    return StrategySpec.model_validate(facts)


def fleet(**sizes: int) -> list[Candidate]:
    """Sites whose names begin with their group, so that the alphabet follows the groups."""
    return [
        Candidate(f"{group}-{n:04}", group=group, labels={"rack": f"r{n % 5}"})
        for group, size in sorted(sizes.items())
        for n in range(size)
    ]


def groups_of(sites: list[Candidate]) -> Counter[str]:
    return Counter(site.group or "" for site in sites)


def test_ten_per_cent_are_ten_per_cent_of_every_region() -> None:
    stages = [{"name": "tenth", "take": "10%"}, {"name": "rest"}]
    (_, tenth), (_, rest) = assign_stages(spec(stages=stages), fleet(asia=999, europe=500, africa=300)).stages
    assert len(tenth) == 180
    assert all(abs(groups_of(tenth)[g] - n) <= 1 for g, n in {"asia": 100, "europe": 50, "africa": 30}.items())
    assert len(rest) == 1799 - 180


def test_a_canary_of_as_many_sites_as_groups_has_one_of_each_however_small_they_are() -> None:
    (_, canary), _ = assign_stages(
        spec(stages=[{"name": "canary", "take": 3}, {"name": "rest"}]), fleet(huge=900, small=9, tiny=1)
    ).stages
    assert groups_of(canary) == {"huge": 1, "small": 1, "tiny": 1}


def test_a_label_takes_the_place_of_the_groups_if_asked() -> None:
    stages = [{"name": "few", "take": 10}, {"name": "rest"}]
    (_, few), _ = assign_stages(spec(stages=stages, spread="rack"), fleet(north=50, south=50)).stages
    assert Counter(site.labels["rack"] for site in few) == dict.fromkeys(["r0", "r1", "r2", "r3", "r4"], 2)


def test_a_filtered_stage_is_spread_too() -> None:
    stages = [{"name": "racked", "labels": {"rack": "r0"}, "take": 4}, {"name": "rest"}]
    (_, racked), _ = assign_stages(spec(stages=stages), fleet(a=50, b=50)).stages
    assert groups_of(racked) == {"a": 2, "b": 2}


def test_stages_that_take_from_the_same_sites_one_after_the_other_take_each_once() -> None:
    stages = [{"name": f"s{n}", "labels": {"rack": "r0"}, "take": 4} for n in range(5)] + [{"name": "rest"}]
    assignment = assign_stages(spec(stages=stages), fleet(a=50, b=50))
    names = [site.name for _, sites in assignment.stages for site in sites]
    assert [len(sites) for _, sites in assignment.stages] == [4] * 5 + [80]
    assert len(names) == len(set(names))
    assert all(groups_of(sites) == {"a": 2, "b": 2} for _, sites in assignment.stages[:5])


filters = st.fixed_dictionaries(
    {},
    optional={
        "groups": st.lists(st.sampled_from(["a", "b", "c", "none"]), max_size=2),
        "labels": st.dictionaries(st.sampled_from(["rack", "other"]), st.sampled_from(["r0", "r1"]), max_size=2),
        "sites": st.lists(st.sampled_from([f"{g}-{n:04}" for g in "ab" for n in range(4)]), max_size=4),
    },
)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 6), min_size=1), st.lists(filters, min_size=1, max_size=5)
)
def test_each_site_goes_to_the_first_stage_that_matches_it(sizes: dict[str, int], asked: list[dict[str, Any]]) -> None:
    sites = fleet(**sizes)
    given_stages = [{"name": f"s{n}", "optional": True, **one} for n, one in enumerate(asked)]
    of = spec(stages=[*given_stages, {"name": "rest", "optional": True}])
    wanted = {
        site.name: next(s.name for s in of.stages if matches(s, site) and (not s.sites or site.name in s.sites))
        for site in sites
    }
    assert {site.name: stage.name for stage, taken in assign_stages(of, sites).stages for site in taken} == wanted


def test_the_same_strategy_chooses_the_same_sites_and_another_one_others() -> None:
    sites = fleet(a=200, b=200)
    first = [s.name for s in spread(sites, "nightly")]
    assert first == [s.name for s in spread(reversed(sites), "nightly")]
    assert first[:20] != [s.name for s in spread(sites, "weekly")][:20]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 60), min_size=1), st.data(), st.text(max_size=5))
def test_every_beginning_holds_each_group_by_its_share(sizes: dict[str, int], data: st.DataObject, salt: str) -> None:
    sites = fleet(**sizes)
    order = spread(sites, salt)
    assert sorted(s.name for s in order) == sorted(s.name for s in sites)
    take = data.draw(st.integers(1, len(sites)))
    found = groups_of(order[:take])
    slack = len(sizes)  # one of each comes first
    for group, size in sizes.items():
        assert abs(found[group] - take * size / len(sites)) <= slack


@pytest.mark.parametrize("stages", [1, 20, 500])
def test_what_a_plan_shows_of_the_spread_is_bounded(stages: int) -> None:
    many = [Candidate(f"s-{n}", labels={"serial": str(n)}) for n in range(5_000)]
    shown, more = shares(many, "serial", stages)
    assert 1 <= len(shown) * stages <= SHARES_IN_ALL
    assert len(shown) + more == 5_000


def test_the_largest_shares_are_shown_first() -> None:
    shown, more = shares(fleet(a=1, b=3), None, 1)
    assert [(s.of, s.sites) for s in shown] == [("b", 3), ("a", 1)]
    assert more == 0
