"""Undo leads exactly the sites that a strategy changed back to what each had before it, in stages of its own."""

from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.planning import Group, Plan, plan
from services.strategy_orchestrator.rollout.undoing import stages_back, stages_had
from services.strategy_orchestrator.strategies import Candidate, Changed, Release, Target, Undone, operation_of
from shared.messages.strategy import StageSpec, StrategySpec
from shared.messages.words import OperationKind, StrategyType

UPDATE, ROLLBACK = OperationKind.UPDATE, OperationKind.ROLLBACK
GROUPS = {"north": Group("parallel", 10), "south": Group("serial", "50%")}


def at(name: str, version: str | None, *history: str, **facts: object) -> Candidate:
    return Candidate(name, version=version, history=history, **{"status": "operational", **facts})  # type: ignore[arg-type]


def undo(
    changed: dict[str, Changed],
    *sites: Candidate,
    operation: OperationKind = UPDATE,
    releases: object = None,
    **more: object,
) -> Plan:
    facts = {"name": "back", "type": "rollback", "app": "shop", "undo": "first", "selection": {}, **more}
    target = Target("shop", None, False, releases or {}, Undone("first", operation, changed))  # type: ignore[arg-type]
    return plan(StrategySpec.model_validate(facts), sites, {}, target)


def left_out(made: Plan) -> dict[str, str]:
    return {one.site: one.code for one in made.excluded}


def test_each_site_goes_to_what_it_had_and_is_not_asked_about() -> None:
    changed = {"a": Changed("1.0", "1.2"), "b": Changed("1.1", "1.2")}
    made = undo(changed, at("a", "1.2", "1.0"), at("b", "1.2", "1.0", "1.1"))
    assert not made.faults
    assert made.targets == {"a": "1.0", "b": "1.1"}


def test_a_site_that_the_strategy_left_half_way_is_brought_back_too() -> None:
    made = undo({"a": Changed("1.0", "1.2")}, at("a", "1.0", status="update_error"))
    assert made.targets == {"a": "1.0"}


def test_what_moved_on_is_back_already_or_was_not_there_before_is_left_out_with_the_reason() -> None:
    changed = {name: Changed("1.0", "1.2") for name in ("elsewhere", "removed", "back", "gone", "off", "good")}
    made = undo(
        {**changed, "first": Changed(None, "1.2")},
        at("elsewhere", "1.3", "1.0", "1.2"),
        at("removed", None, status="removed"),
        at("back", "1.0"),
        at("off", "1.2", "1.0", managed=False),
        at("first", "1.2"),
        at("good", "1.2", "1.0"),
    )
    assert made.sites == [["good"]]
    assert left_out(made) == {
        "elsewhere": "moved_on",
        "removed": "moved_on",
        "back": "already_there",
        "gone": "unknown_site",
        "off": "unmanaged",
        "first": "not_there_before",
    }


def test_a_selection_narrows_what_is_undone_and_never_widens_it() -> None:
    changed = {"a": Changed("1.0", "1.2"), "b": Changed("1.0", "1.2")}
    fleet = [at("a", "1.2", "1.0"), at("untouched", "1.1", "1.0")]
    made = undo(changed, *fleet, selection={"labels": {"region": "north"}})
    assert made.sites == [["a"]]
    assert left_out(made) == {"untouched": "not_changed"}


def test_the_way_back_from_a_rollback_is_an_update_and_needs_an_edge() -> None:
    assert operation_of(StrategyType.ROLLBACK, False, ROLLBACK) is UPDATE
    assert operation_of(StrategyType.ROLLBACK, False, UPDATE) is ROLLBACK
    assert operation_of(StrategyType.ROLLBACK, False, OperationKind.APPLY) is ROLLBACK
    changed = {"a": Changed("1.2", "1.0")}
    assert undo(changed, at("a", "1.0"), operation=ROLLBACK).targets == {"a": "1.2"}
    edge = {"1.2": Release(upgrades_from=(">=1.1",))}
    assert left_out(undo(changed, at("a", "1.0"), operation=ROLLBACK, releases=edge)) == {"a": "not_upgradable"}


def test_the_stages_keep_their_order_and_names_without_sites_that_were_not_changed() -> None:
    stages = (
        StageSpec(name="canary", sites=("a", "b")),
        StageSpec(name="second", sites=("c",)),
        StageSpec(name="north", groups=("north",), take="10%", soak_seconds=60),
        StageSpec(name="rest"),
    )
    back = stages_back(stages, {"a"}, GROUPS)
    assert [(s.name, s.sites, s.soak_seconds) for s in back] == [
        ("canary", ("a",), 0),
        ("north", (), 60),
        ("rest", (), 0),
    ]
    assert [s.name for s in stages_back(stages, {"a"}, {})] == ["canary", "rest"], "the group is gone"
    assert [s.name for s in stages_back((StageSpec(name="rest", take=5),), {"a"}, {})] == ["rest", "rest-1"]


def test_stages_whose_names_were_not_kept_take_the_sites_they_had_and_are_not_open_to_all() -> None:
    kept = (
        StageSpec(name="canary", sites=("a",)),
        StageSpec(name="wave", sites=(), soak_seconds=60),
        StageSpec(name="none", sites=()),
        StageSpec(name="rest"),
    )
    had = stages_had(kept, {"canary": ["a", "b"], "wave": ["c"], "rest": ["d"]})
    assert [(s.name, s.sites, s.soak_seconds) for s in stages_back(had, {"a", "b", "c", "d"}, GROUPS)] == [
        ("canary", ("a", "b"), 0),
        ("wave", ("c",), 60),
        ("rest", ("d",), 0),
        ("rest-1", (), 0),
    ]


takes = st.none() | st.integers(1, 12) | st.sampled_from(["1%", "25%", "50%", "100%"])
specs = st.builds(
    dict,
    take=takes,
    sites=st.lists(st.sampled_from([f"s-{n}" for n in range(8)]), unique=True, max_size=4),
    groups=st.lists(st.sampled_from(["north", "south", "deleted"]), unique=True, max_size=2),
)


@given(st.lists(specs, min_size=1, max_size=6), st.sets(st.integers(0, 7), min_size=1))
def test_whatever_part_of_a_strategy_was_done_its_stages_take_exactly_that_back(
    stages: list[dict[str, object]], done: set[int]
) -> None:
    fleet = [at(f"s-{n}", "1.2", "1.0", group=("north", "south", None)[n % 3]) for n in sorted(done)]
    changed = {site.name: Changed("1.0", "1.2") for site in fleet}
    given_stages = tuple(StageSpec.model_validate({"name": f"g{n}", **one}) for n, one in enumerate(stages))
    facts = {"name": "back", "type": "rollback", "app": "shop", "undo": "first"}
    spec = StrategySpec.model_validate({**facts, "stages": stages_back(given_stages, changed, GROUPS)})
    target = Target("shop", None, undo=Undone("first", UPDATE, changed))
    made = plan(spec, fleet, GROUPS, target)
    assert not made.faults
    assert sorted(name for stage in made.sites for name in stage) == sorted(changed)
