"""A plan assigns every site that takes part into one stage, and says of every other why it is left out."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.strategy_orchestrator.planning import EXCLUDED_SHOWN, MOST_REASON, Group, plan
from services.strategy_orchestrator.strategies import TYPES, Candidate, Release, Target, operation_of
from shared.messages.base import MOST_FAULTS, count_of
from shared.messages.strategy import StrategySpec
from shared.messages.words import OperationKind, StrategyType

TARGET = Target("shop", "2.0")


def spec(**fields: object) -> StrategySpec:
    given_fields = {"name": "s", "type": "apply", "app": "shop", "version": "2.0", "selection": {"all": True}, **fields}
    return StrategySpec.model_validate(given_fields)


def sites(count: int, **facts: object) -> list[Candidate]:
    return [Candidate(f"s-{n:03}", **facts) for n in range(count)]  # type: ignore[arg-type]


def shape(made: object) -> list[tuple[str, int, int]]:
    return [(s.name, s.sites, s.max_parallel) for s in made.stages]  # type: ignore[attr-defined]


def test_stages_take_numbers_and_shares_of_the_whole_and_the_last_the_rest() -> None:
    stages = [{"name": "canary", "take": 1}, {"name": "tenth", "take": "10%"}, {"name": "rest"}]
    made = plan(spec(stages=stages, max_parallel="50%"), sites(25), {}, TARGET)
    assert shape(made) == [("canary", 1, 1), ("tenth", 3, 2), ("rest", 21, 11)]


def test_a_stage_has_its_own_limit_or_the_strategys_and_those_of_groups_hold_beside_it() -> None:
    fleet = [*sites(4, group="north"), Candidate("x", group="south"), Candidate("y", group="lone")]
    groups = {"north": Group("parallel", 2), "south": Group("parallel", "10%"), "lone": Group("serial", 50)}
    stages = [
        {"name": "n", "groups": ["north"]},
        {"name": "s", "groups": ["south"], "max_parallel": 5},
        {"name": "l", "groups": ["lone"]},
    ]
    assert shape(plan(spec(stages=stages), fleet, groups, TARGET)) == [("n", 4, 4), ("s", 1, 1), ("l", 1, 1)]


def test_a_per_cent_of_a_great_stage_is_no_more_than_may_ever_change_at_once() -> None:
    assert shape(plan(spec(max_parallel="60%"), sites(9_000), {}, TARGET)) == [("all", 9_000, 5_000)]


def test_faults_beyond_what_an_answer_lists_are_counted_and_not_made() -> None:
    names = [f"n-{n}" for n in range(3_000)]
    unmanaged = [Candidate(name, managed=False) for name in names[:1_000]]
    stages = [{"name": "a", "groups": [f"g-{n}" for n in range(500)]}]
    made = plan(spec(selection={"sites": names}, stages=stages), unmanaged, {}, TARGET)
    assert count_of(made.faults) == 3_500
    assert len(made.faults) == 3 * (MOST_FAULTS + 1)
    strangers = [{"name": "a", "sites": names}, {"name": "b"}]
    assert count_of(plan(spec(stages=strangers), sites(2), {}, TARGET).faults) == 3_001  # b takes both; a is empty


def test_of_sites_left_out_the_first_are_named_with_a_reason_that_is_not_long() -> None:
    ranges = tuple(f">={n}.0,<{n}.5" for n in range(10, 99))
    target = Target("shop", "2.0", releases={"2.0": Release(upgrades_from=ranges)})
    made = plan(spec(type="update"), [*sites(1_500, version="1.0"), Candidate("b", version="10.1")], {}, target)
    assert (made.left_out, len(made.excluded), made.sites) == (1_500, EXCLUDED_SHOWN, [["b"]])
    assert max(len(one.message) for one in made.excluded) == MOST_REASON


def test_serial_means_one_at_a_time_everywhere() -> None:
    made = plan(spec(apply_type="serial", max_parallel=50), sites(9), {}, TARGET)
    assert shape(made) == [("all", 9, 1)]


def test_a_stage_that_takes_no_site_is_a_fault_unless_it_is_optional() -> None:
    stages: list[dict[str, Any]] = [
        {"name": "canary", "labels": {"tier": "cannary"}},
        {"name": "rest"},
        {"name": "late"},
    ]
    made = plan(spec(stages=stages), sites(2), {}, TARGET)
    assert [(f.code, f.field) for f in made.faults] == [("empty_stage", "stages.0"), ("empty_stage", "stages.2")]
    assert "none of the 2 sites" in made.faults[0].message
    assert "earlier stages took all" in made.faults[1].message
    willing = [stage | {"optional": True} for stage in stages]
    assert shape(plan(spec(stages=willing), sites(2), {}, TARGET)) == [("rest", 2, 2)]


def test_a_stage_takes_what_matches_all_of_its_filters() -> None:
    fleet = [
        Candidate("a", group="north", labels={"tier": "gold"}),
        Candidate("b", group="north"),
        Candidate("c", group="south", labels={"tier": "gold"}),
    ]
    stages = [{"name": "both", "groups": ["north"], "labels": {"tier": "gold"}}, {"name": "rest"}]
    made = plan(spec(stages=stages), fleet, {"north": Group("parallel", 9)}, TARGET)
    assert made.sites[0] == ["a"]
    assert set(made.sites[1]) == {"b", "c"}


def test_a_named_site_that_the_rest_of_the_selection_keeps_out_is_told_apart_from_an_unknown_one() -> None:
    chosen = {"sites": ["s-000", "left", "nowhere"], "groups": ["north"]}
    made = plan(spec(selection=chosen), sites(1), {"north": Group("parallel", 9)}, TARGET, frozenset({"left"}))
    assert [(f.code, f.field) for f in made.faults] == [
        ("unknown_site", "selection.sites.2"),
        ("not_selected", "selection.sites.1"),
    ]


def test_sites_that_cannot_take_part_are_left_out_with_the_reason() -> None:
    fleet = [
        Candidate("free"),
        Candidate("unmanaged", managed=False),
        Candidate("there", version="2.0"),
        Candidate("older", version="1.0"),
    ]
    made = plan(spec(), fleet, {}, TARGET)
    assert made.sites == [["free"]]
    assert [(e.site, e.code) for e in made.excluded] == [
        ("unmanaged", "unmanaged"),
        ("there", "already_there"),
        ("older", "deployed_already"),
    ]


def test_a_site_that_was_named_must_take_part() -> None:
    fleet = [Candidate("a", managed=False), Candidate("b")]
    made = plan(spec(selection={"sites": ["b", "a", "z"]}), fleet, {}, TARGET)
    assert {(f.code, f.field) for f in made.faults} == {
        ("unmanaged", "selection.sites.1"),
        ("unknown_site", "selection.sites.2"),
    }


def test_a_stage_may_name_only_sites_that_take_part() -> None:
    made = plan(spec(stages=[{"name": "a", "sites": ["s-000", "zz"]}, {"name": "b"}]), sites(2), {}, TARGET)
    assert [(f.code, f.field) for f in made.faults] == [("not_selected", "stages.0.sites.1")]


def test_each_type_judges_what_runs_on_a_site() -> None:
    new, current = Candidate("new"), Candidate("current", version="2.0", history=("1.0",))
    old = Candidate("old", version="1.0")
    edge = Target("shop", "2.0", releases={"2.0": Release(upgrades_from=(">=1.5",))})
    back = Target("shop", None)
    assert code("update", new, TARGET) == "not_deployed"
    assert code("update", old, TARGET) is None
    assert code("update", old, edge) == "not_upgradable"
    assert code("update", current, TARGET) == "already_there"
    assert code("rollback", new, back) == "not_deployed"
    assert code("rollback", old, back) == "no_previous_release"
    assert code("rollback", current, back) is None
    assert code("rollback", current, TARGET) == "already_there"


def code(kind: str, site: Candidate, target: Target) -> str | None:
    why = TYPES[StrategyType(kind)].judge(site, target)
    return why.code if why else None


def test_force_deploys_anew_what_runs_already_by_applying_it() -> None:
    made = plan(spec(type="update", force=True), sites(2, version="2.0"), {}, Target("shop", "2.0", force=True))
    assert not made.faults
    assert operation_of(StrategyType.UPDATE, force=True) is OperationKind.APPLY
    assert operation_of(StrategyType.UPDATE, force=False) is OperationKind.UPDATE
    assert operation_of(StrategyType.ROLLBACK, force=True) is OperationKind.ROLLBACK


takes = st.none() | st.integers(1, 12) | st.sampled_from(["1%", "25%", "50%", "100%"])


@settings(max_examples=200)
@given(
    st.integers(1, 40), st.lists(takes, min_size=1, max_size=6), st.integers(1, 60) | st.sampled_from(["10%", "90%"])
)
def test_every_site_stands_in_exactly_one_stage_or_the_plan_is_refused(
    count: int, wanted: list[int | str | None], limit: int | str
) -> None:
    stages = [{"name": f"g{n}", "take": take, "optional": True} for n, take in enumerate(wanted)]
    made = plan(spec(stages=stages, max_parallel=limit), sites(count), {}, TARGET)
    assignment = [name for stage in made.sites for name in stage]
    assert len(assignment) == len(set(assignment))
    assert bool(made.faults) == (len(assignment) < count)
    for stage, names in zip(made.stages, made.sites, strict=True):
        assert stage.sites == len(names) > 0
        assert 1 <= stage.max_parallel <= len(names)
