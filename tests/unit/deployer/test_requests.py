"""Which requests are refused, and that every reason is given at once."""

from dataclasses import replace

import pytest

from services.deployer.domain import Deployment, Facts, Release, Site, faults_of, returns_to, wanted
from shared.messages.deployer import RequestOperation
from shared.messages.words import DeploymentStatus as Status
from tests.unit.deployer.values import facts, request, running


def codes(asked: RequestOperation, known: Facts) -> list[str]:
    return [fault.code for fault in faults_of(asked, known)]


@pytest.mark.parametrize(
    ("kind", "version", "deployment"),
    [
        ("apply", "1", Deployment()),
        ("apply", "1", running("1")),
        ("update", "2", running("1")),
        ("rollback", None, running("2", "1")),
        ("rollback", "1", running("3", "1", "2")),
        ("recover", None, running("1")),
        ("remove", None, running("1")),
        ("update", "1", Deployment("1", Status.UPDATE_ERROR, ("2",))),
        ("update", "2", Deployment(None, Status.APPLY_ERROR, ("1",))),
        ("recover", None, Deployment(None, Status.APPLY_ERROR, ("1",))),
        ("remove", None, Deployment("1", Status.REMOVE_ERROR)),
    ],
)
def test_a_request_in_order_has_no_fault(kind: str, version: str | None, deployment: Deployment) -> None:
    asked = request(kind, version)
    assert codes(asked, facts(asked, deployment)) == []


def test_all_faults_come_at_once() -> None:
    asked = request("update", "2", strategy_id="mine")
    known = facts(
        asked,
        running("1"),
        busy_with="op-7",
        held_by=("theirs", "night shift"),
        target=Release("shop", "2", upgrades_from=(">=1.5",), drivers=("process",)),
    )
    assert codes(asked, known) == ["site_busy", "site_held", "not_upgradable", "driver_mismatch"]


def test_an_unknown_site_is_not_also_blamed_for_what_is_not_on_it() -> None:
    asked = request("update", "2")
    assert codes(asked, facts(asked, site=None)) == ["unknown_site"]


def test_a_hold_names_its_strategy_and_lets_that_strategy_pass() -> None:
    asked = request("update", "2")
    held = facts(asked, running("1"), held_by=("s-1", "night shift"))
    [fault] = faults_of(asked, held)
    assert fault.code == "site_held"
    assert "night shift" in fault.message
    assert codes(request("update", "2", strategy_id="s-1"), held) == []


@pytest.mark.parametrize("kind", ["update", "rollback", "recover", "remove"])
def test_only_apply_works_where_nothing_is_deployed(kind: str) -> None:
    asked = request(kind, "2" if kind in ("update", "rollback") else None)
    assert codes(asked, facts(asked)) == ["nothing_deployed"]


@pytest.mark.parametrize("kind", ["apply", "update"])
def test_a_version_must_be_given_where_one_is_needed(kind: str) -> None:
    asked = request(kind)
    assert codes(asked, facts(asked, running("1"))) == ["missing_field"]


@pytest.mark.parametrize("kind", ["recover", "remove"])
def test_a_version_must_not_be_given_where_none_is_meant(kind: str) -> None:
    asked = request(kind, "2")
    assert codes(asked, facts(asked, running("1"))) == ["invalid_field"]


def test_unknown_and_withdrawn_releases_are_refused() -> None:
    asked = request("update", "2")
    assert codes(asked, facts(asked, running("1"), target=None)) == ["unknown_release"]
    assert codes(asked, facts(asked, running("1"), target=None, app_known=False)) == ["unknown_app"]
    withdrawn = Release("shop", "2", drivers=("simulated",), withdrawn=True)
    assert codes(asked, facts(asked, running("1"), target=withdrawn)) == ["release_withdrawn"]


def test_a_site_can_be_recovered_to_a_release_that_was_withdrawn_meanwhile() -> None:
    asked = request("recover")
    withdrawn = Release("shop", "1", drivers=("simulated",), withdrawn=True)
    assert codes(asked, facts(asked, running("1"), target=withdrawn)) == []


@pytest.mark.parametrize(
    ("ranges", "code"), [(None, []), (("<2",), []), (("<1",), ["not_upgradable"]), ((), ["not_upgradable"])]
)
def test_the_upgrade_edge_must_allow_the_way(ranges: tuple[str, ...] | None, code: list[str]) -> None:
    for kind in ("apply", "update"):
        asked = request(kind, "2")
        known = facts(asked, running("1"), target=Release("shop", "2", upgrades_from=ranges, drivers=("simulated",)))
        assert codes(asked, known) == code


def test_the_edge_does_not_matter_on_the_way_back() -> None:
    asked = request("rollback", "1")
    target = Release("shop", "1", upgrades_from=(), drivers=("simulated",))
    assert codes(asked, facts(asked, running("2", "1"), target=target)) == []


def test_the_release_that_runs_is_not_deployed_again_by_update_or_rollback() -> None:
    for kind in ("update", "rollback"):
        asked = request(kind, "1")
        assert codes(asked, facts(asked, running("1"))) == ["already_current"]


def test_a_strategy_applies_again_only_where_it_says_so_or_where_the_release_is_broken() -> None:
    asked = request("apply", "1")
    broken = Deployment("1", Status.APPLY_ERROR, ("2",))
    assert codes(asked, replace(facts(asked, running("1")), again=False)) == ["already_current"]
    assert codes(asked, replace(facts(asked, running("1")), again=True)) == []
    assert codes(asked, replace(facts(asked, broken), again=False)) == []


@pytest.mark.parametrize(
    ("status", "back_to"),
    [
        (Status.OPERATIONAL, "0"),
        (Status.ROLLBACK_ERROR, "0"),
        (Status.UPDATE_ERROR, "1"),
        (Status.APPLY_ERROR, "1"),
        (Status.REMOVE_ERROR, "1"),
    ],
)
def test_the_way_back_from_an_update_that_broke_is_not_a_release_too_far(status: Status, back_to: str) -> None:
    leftovers = () if status is Status.OPERATIONAL else ("2",)
    there = Deployment("1", status, leftovers, ("0",))
    assert wanted(request("rollback"), there) == back_to
    assert codes(request("rollback"), facts(request("rollback"), there)) == []


@pytest.mark.parametrize("status", [Status.OPERATIONAL, Status.ROLLBACK_ERROR, Status.UPDATE_ERROR])
def test_each_release_that_a_site_can_return_to_is_taken_and_no_other(status: Status) -> None:
    leftovers = () if status is Status.OPERATIONAL else ("3",)
    there = Deployment("2", status, leftovers, ("0", "1"))
    for version in ("0", "1", "2", "3", "4"):
        asked = request("rollback", version)
        refused = "no_previous_release" in codes(asked, facts(asked, there))
        soundly_there = version == "2" and status is Status.OPERATIONAL
        assert refused == (version not in returns_to(there)) or soundly_there
    assert wanted(request("rollback"), there) == returns_to(there)[-1]


def test_there_is_no_way_back_without_a_release_before() -> None:
    asked = request("rollback")
    assert codes(asked, facts(asked, running("1"))) == ["no_previous_release"]
    other = request("rollback", "7")
    [fault] = faults_of(other, facts(other, running("2", "1")))
    assert fault.code == "no_previous_release"
    assert "had: 1" in fault.message


def test_every_driver_of_a_release_must_reach_the_site_and_those_that_do_not_are_named() -> None:
    asked = request("apply", "1")
    mixed = Release("shop", "1", drivers=("copy", "helm", "simulated"))
    known = replace(facts(asked), target=mixed)
    [fault] = faults_of(asked, known)
    assert fault.code == "driver_mismatch"
    assert "copy, helm" in fault.message
    assert "are: simulated" in fault.message
    reached = Site("oslo", {"copy": {}, "helm": {}, "simulated": {}, "process": {}})
    assert codes(asked, replace(known, site=reached)) == []
