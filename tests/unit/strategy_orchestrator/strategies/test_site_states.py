"""Prestage, remove, and the states of a site that every type heeds."""

from dataclasses import replace

import pytest

from services.strategy_orchestrator.strategies import TYPES, UNAVAILABLE, Candidate, Release, Target, operation_of
from services.strategy_orchestrator.strategies.site_state import STANDING
from shared.messages.words import OperationKind, StrategyType

HERE = Candidate("oslo", version="1.0", status="operational", drivers=frozenset({"process"}))
TO = Target("shop", "1.0", releases={"1.0": Release(), "2.0": Release()})


def heeded(site: Candidate, target: Target = TO) -> list[str]:
    """Every reason for which the site would be left alone."""
    return [why.code for heed in STANDING if (why := heed(site, target))]


@pytest.mark.parametrize(
    ("site", "codes"),
    [
        (HERE, []),
        (replace(HERE, availability="online"), []),
        (replace(HERE, availability="offline", cause="no route"), ["offline"]),
        (replace(HERE, maintenance=True), ["in_maintenance"]),
        (replace(HERE, managed=False), ["unmanaged"]),
        (replace(HERE, alarms=("disk",)), ["alarms_active"]),
        (replace(HERE, unknown_secrets=("key",)), ["unknown_secret"]),
        (
            replace(HERE, managed=False, maintenance=True, availability="offline", alarms=("a",)),
            ["unmanaged", "in_maintenance", "offline", "alarms_active"],
        ),
    ],
)
def test_what_keeps_a_site_out_whatever_is_done_there(site: Candidate, codes: list[str]) -> None:
    assert heeded(site) == codes


def test_force_passes_by_alarms_and_nothing_else() -> None:
    forced = replace(TO, force=True)
    assert heeded(replace(HERE, alarms=("disk",)), forced) == []
    assert heeded(replace(HERE, maintenance=True, availability="offline"), forced) == ["in_maintenance", "offline"]


def test_reasons_name_the_first_alarms_and_secrets_and_count_the_rest() -> None:
    (why,) = [why for heed in STANDING if (why := heed(replace(HERE, alarms=("a", "b", "c", "d", "e")), TO))]
    assert "alarms: a, b, c and 2 more" in why.message
    (why,) = [why for heed in STANDING if (why := heed(replace(HERE, availability="offline", cause="no route"), TO))]
    assert why.message == "site oslo is offline: no route"


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_that_reaches_sites_heeds_all_of_it(kind: StrategyType) -> None:
    assert TYPES[kind].heeds == STANDING


@pytest.mark.parametrize(
    "site", [HERE, replace(HERE, version=None, status=None), replace(HERE, version="0.9", status="update_error")]
)
def test_a_prestage_takes_any_site_whatever_runs_there(site: Candidate) -> None:
    assert TYPES[StrategyType.PRESTAGE].judge(site, replace(TO, version="2.0")) is None


@pytest.mark.parametrize("force", [False, True])
def test_a_site_that_runs_the_release_has_all_that_a_prestage_would_bring(force: bool) -> None:
    why = TYPES[StrategyType.PRESTAGE].judge(HERE, replace(TO, force=force))
    assert why is not None
    assert why.code == "already_there"
    broken = replace(HERE, status="update_error")
    assert TYPES[StrategyType.PRESTAGE].judge(broken, TO) is None


def test_a_remove_leaves_out_sites_where_nothing_of_the_app_is() -> None:
    nowhere, judge = replace(HERE, version=None, status=None), TYPES[StrategyType.REMOVE].judge
    why = judge(nowhere, TO)
    assert why is not None
    assert why.code == "already_removed"
    half_way = replace(nowhere, status="apply_error")
    busy, held = replace(nowhere, operation_id="o-1"), replace(nowhere, held_by="another")
    assert [judge(site, TO) for site in (HERE, half_way, busy, held)] == [None] * 4


def test_what_has_no_way_back_says_why() -> None:
    assert {kind for kind, made in TYPES.items() if made.no_way_back} == {StrategyType.PRESTAGE, StrategyType.REMOVE}


def test_every_word_is_a_type_or_says_why_it_is_none_yet() -> None:
    assert set(TYPES) | set(UNAVAILABLE) == set(StrategyType)
    assert not set(TYPES) & set(UNAVAILABLE)


def test_force_changes_what_is_asked_for_only_where_that_means_something() -> None:
    asked = {kind: operation_of(kind, force=True) for kind in TYPES}
    assert asked[StrategyType.PRESTAGE] is OperationKind.PRESTAGE
    assert asked[StrategyType.REMOVE] is OperationKind.REMOVE
    assert asked[StrategyType.UPDATE] is OperationKind.APPLY
