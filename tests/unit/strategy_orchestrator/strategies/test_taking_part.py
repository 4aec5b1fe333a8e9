"""Which sites take part, and where each goes: who is there already is no work, who is broken or busy is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.planning import Plan, plan
from services.strategy_orchestrator.strategies import Candidate, Release, Target
from shared.messages.rules import SiteRequirement
from shared.messages.strategy import StrategySpec
from shared.messages.words import DeploymentStatus

BROKEN = ["apply_error", "update_error", "rollback_error", "remove_error"]


def planned(kind: str, version: str | None, *sites: Candidate, releases: object = None, **fields: object) -> Plan:
    given_fields = {"name": "s", "type": kind, "app": "shop", "version": version, "selection": {"all": True}, **fields}
    spec = StrategySpec.model_validate(given_fields)
    target = Target("shop", version, spec.force, releases or {}, only_changes=spec.only_changes)  # type: ignore[arg-type]
    return plan(spec, sites, {}, target)


def at(name: str, version: str | None, *history: str, **facts: object) -> Candidate:
    return Candidate(name, version=version, history=history, **{"status": "operational", **facts})  # type: ignore[arg-type]


def left_out(made: Plan) -> dict[str, str]:
    return {one.site: one.code for one in made.excluded}


@pytest.mark.parametrize("kind", ["apply", "update", "rollback"])
@pytest.mark.parametrize("status", BROKEN)
def test_a_broken_site_is_work_to_do_though_its_recorded_release_is_the_target(kind: str, status: str) -> None:
    made = planned(kind, "1.0", at("broken", "1.0", status=status), at("sound", "1.0"))
    assert made.sites == [["broken"]]
    assert left_out(made) == {"sound": "already_there"}


@pytest.mark.parametrize("kind", ["apply", "update", "rollback"])
def test_a_busy_site_takes_part_whatever_it_runs_just_now(kind: str) -> None:
    made = planned(kind, "1.0", at("busy", "1.0", operation_id="op-1"), at("sound", "1.0"))
    assert made.sites == [["busy"]]


def test_a_site_that_another_strategy_holds_takes_part_if_that_has_ended_when_this_one_is_applied() -> None:
    made = planned("update", "2.0", at("held", "1.0", held_by="other"), at("being-taken-back", "2.0", held_by="other"))
    assert set(made.sites[0]) == {"held", "being-taken-back"}


def test_an_app_whose_first_apply_broke_is_work_for_an_update_too() -> None:
    made = planned("update", "2.0", at("half", None, status="apply_error"), at("none", None, status="new"))
    assert made.sites == [["half"]]
    assert left_out(made) == {"none": "not_deployed"}


def test_naming_a_site_that_is_there_already_does_not_stop_an_emergency_rollback() -> None:
    sites = [at("back", "1.0"), at("bad", "1.1", "1.0"), at("worse", "1.1", "1.0")]
    for version in ("1.0", None):
        made = planned("rollback", version, *sites, selection={"sites": ["bad", "back", "worse"]})
        assert not made.faults
        assert made.sites == [["bad", "worse"]]
        assert left_out(made) == {"back": "already_there" if version else "no_previous_release"}


def test_a_stage_may_name_a_site_that_is_there_already() -> None:
    stages = [{"name": "first", "sites": ["back", "bad"]}, {"name": "rest"}]
    made = planned("rollback", "1.0", at("back", "1.0"), at("bad", "1.1", "1.0"), stages=stages)
    assert (made.faults, made.sites) == ([], [["bad"]])


def test_naming_a_site_that_cannot_take_part_is_still_a_fault() -> None:
    sites = [at("off", "1.1", "1.0", managed=False), at("new", None, status="new"), at("bad", "1.1", "1.0")]
    made = planned("rollback", "1.0", *sites, selection={"sites": ["off", "new", "bad"]})
    assert [(f.code, f.value) for f in made.faults] == [("unmanaged", "off"), ("not_deployed", "new")]


def test_nobody_is_planned_back_to_a_release_it_never_had() -> None:
    made = planned("rollback", "1.0", at("young", "1.1", "1.05"), at("old", "1.1", "1.0"), at("unsaid", "1.1"))
    assert left_out(made) == {"young": "never_deployed", "unsaid": "never_deployed"}


def test_a_rollback_without_version_over_different_pasts_is_asked_about() -> None:
    """Two of six were brought to 1.2; the four others would go one release too far."""
    fleet = [at(f"new-{n}", "1.2", "1.0", "1.1") for n in range(2)] + [at(f"old-{n}", "1.1", "1.0") for n in range(4)]
    made = planned("rollback", None, *fleet)
    (fault,) = made.faults
    assert (fault.code, fault.field, fault.value) == ("mixed_targets", "mixed", {"1.0": 4, "1.1": 2})
    assert "4 to 1.0, 2 to 1.1" in fault.message
    meant = planned("rollback", None, *fleet, mixed=True)
    assert not meant.faults
    assert meant.targets == {f"new-{n}": "1.1" for n in range(2)} | {f"old-{n}": "1.0" for n in range(4)}
    assert [(one.version, one.sites) for one in meant.summary] == [("1.0", 4), ("1.1", 2)]


def test_a_rollback_by_name_or_of_one_past_is_not_asked_about() -> None:
    fleet = [at("new", "1.2", "1.0", "1.1"), at("old", "1.1", "1.0")]
    assert not planned("rollback", "1.0", *fleet).faults
    made = planned("rollback", None, at("a", "1.2", "1.1"), at("b", "1.3", "1.1"))
    assert (made.faults, made.targets) == ([], {"a": "1.1", "b": "1.1"})


@pytest.mark.parametrize("status", ["operational", *BROKEN])
@pytest.mark.parametrize("history", [("1.0",), ("1.0", "1.1"), ("1.1", "1.0")])
def test_a_rollback_without_version_leads_to_what_the_deployer_says_last_whatever_the_status(
    status: str, history: tuple[str, ...]
) -> None:
    site = at("a", "1.2", *history, status=status)
    assert planned("rollback", None, site).targets == {"a": history[-1]}


def test_a_driver_that_a_site_has_not_is_known_at_planning() -> None:
    releases = {"2.0": Release(drivers=frozenset({"process"}))}
    process, simulated = frozenset({"process"}), frozenset({"simulated"})
    sites = at("p", "1.0", drivers=process | simulated), at("s", "1.0", drivers=simulated)
    made = planned("update", "2.0", *sites, releases=releases)
    assert made.sites == [["p"]]
    assert left_out(made) == {"s": "driver_mismatch"}
    both = {"2.0": Release(drivers=frozenset({"process", "simulated"}))}
    assert planned("update", "2.0", at("p", "1.0", drivers=process), releases=both).faults[0].code == "nothing_to_do"
    unsaid = {"2.0": Release(drivers=None)}
    assert planned("update", "2.0", at("p", "1.0", drivers=process), releases=unsaid).sites == [["p"]]


def test_nobody_is_planned_back_to_a_release_that_was_withdrawn() -> None:
    made = planned("rollback", None, at("a", "1.1", "1.0"), releases={"1.0": Release(withdrawn=True)})
    assert made.faults[0].code == "nothing_to_do"
    assert left_out(made) == {"a": "release_withdrawn"}


def test_force_does_again_what_is_there_but_never_against_the_upgrade_edges() -> None:
    releases = {"2.0": Release(upgrades_from=(">=1.5",))}
    for kind in ("apply", "update"):
        made = planned(kind, "2.0", at("there", "2.0"), at("far", "1.0"), force=True, releases=releases)
        assert made.sites == [["there"]]
        assert left_out(made) == {"far": "not_upgradable"}


releases = st.sampled_from(["1.0", "1.1", "1.2"])
candidates = st.builds(
    Candidate,
    name=st.uuids().map(str),
    managed=st.booleans(),
    held_by=st.none() | st.just("other"),
    operation_id=st.none() | st.just("op"),
    version=st.none() | releases,
    status=st.sampled_from([None, *DeploymentStatus]),
    history=st.lists(releases, max_size=3, unique=True).map(tuple),
)


@given(
    st.lists(candidates, min_size=1, max_size=12, unique_by=lambda site: site.name),
    st.sampled_from(["apply", "update", "rollback"]),
    st.none() | releases,
    st.booleans(),
)
def test_every_site_is_planned_or_named_and_none_is_led_to_where_it_soundly_is(
    sites: list[Candidate], kind: str, version: str | None, force: bool
) -> None:
    version = version or (None if kind == "rollback" else "1.0")
    made = planned(kind, version, *sites, mixed=True, force=force)
    assignment = {name for stage in made.sites for name in stage}
    out = {one.site for one in made.excluded}
    if not made.faults:
        assert assignment | out == {site.name for site in sites}
    assert not assignment & out
    for site in sites:
        goal = made.targets.get(site.name, version)
        at_rest = not (site.operation_id or site.held_by)
        sound = site.version == goal and site.status not in BROKEN and at_rest
        assert not (site.name in assignment and sound and not (force and kind != "rollback"))
        assert not (site.name in out and site.managed and site.status in BROKEN and site.version == version is not None)


def test_only_changes_are_carried_out_where_the_app_is_and_nowhere_else() -> None:
    sites = [
        at("one", "1.0"),
        at("two", "2.0"),
        at("none", None, status="new"),
        at("half", "1.0", status="apply_error"),
    ]
    made = planned("apply", None, *sites, only_changes=True)
    assert not made.faults
    assert (set(made.sites[0]), made.targets) == ({"one", "two", "half"}, {})
    assert left_out(made) == {"none": "not_deployed"}
    made = planned("apply", "1.0", *sites, only_changes=True)
    assert (set(made.sites[0]), left_out(made)) == ({"one", "none", "half"}, {"two": "deployed_already"})


@pytest.mark.parametrize("kind", ["update", "rollback", "remove", "prestage"])
def test_only_changes_go_with_apply_alone(kind: str) -> None:
    version = "1.0" if kind in ("update", "prestage") else None
    with pytest.raises(ValueError, match="only_changes: goes with type apply"):
        planned(kind, version, at("one", "1.0"), only_changes=True)


def test_a_site_that_does_not_fit_by_what_people_told_is_left_out_of_the_rest_the_deployer_knows() -> None:
    needs = SiteRequirement(facts={"kubernetes": ">=1.30"}, patches=("P1",))
    releases = {"2.0": Release(needs=needs)}
    old = at("old", "1.0", facts={"kubernetes": "1.29.10", "patches": "P1"})
    bare = at("bare", "1.0", facts={"kubernetes": "1.30.0", "patches": "P2"})
    fits = at("fits", "1.0", facts={"kubernetes": "1.30.0", "patches": "P1"})
    silent = at("silent", "1.0", facts={"os": "Linux"})
    made = planned("update", "2.0", old, bare, fits, silent, releases=releases)
    assert left_out(made) == {"old": "platform_unfit", "bare": "patches_missing"}
    assert sorted(made.sites[0]) == ["fits", "silent"]
