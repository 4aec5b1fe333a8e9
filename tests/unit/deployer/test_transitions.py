"""The transition table: from every state there is a way on, and every end can be stored."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.domain import (
    RESTING,
    TRANSITIONS,
    Deployment,
    Outcome,
    after,
    history_after,
    status_during,
    tried,
)
from services.deployer.overrides.terms import Terms
from services.deployer.phases import LEAVING
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import operation

AT_REST = sorted(RESTING)
BEGINNINGS = [(status, kind) for status in AT_REST for kind in Kind if kind in TRANSITIONS[status]]
ENDS = list(itertools.product(BEGINNINGS, Outcome))


def test_the_table_names_every_status() -> None:
    assert set(TRANSITIONS) == set(Status)


@pytest.mark.parametrize("status", AT_REST)
def test_some_operation_is_allowed_from_every_status_in_which_none_runs(status: Status) -> None:
    assert Kind.APPLY in TRANSITIONS[status]


@pytest.mark.parametrize("status", [s for s in AT_REST if s.endswith("_error")])
def test_after_an_error_every_kind_of_operation_is_allowed(status: Status) -> None:
    assert set(TRANSITIONS[status]) == set(Kind) - LEAVING


@pytest.mark.parametrize(("status", "kind"), BEGINNINGS)
def test_an_operation_that_begins_can_end_in_every_way_and_leaves_a_resting_status(status: Status, kind: Kind) -> None:
    ends = TRANSITIONS[TRANSITIONS[status][kind]]
    assert set(ends) == set(Outcome) - {Outcome.UNTOUCHED}
    assert set(ends.values()) <= RESTING


def deployment_in(status: Status, version: str | None) -> Deployment:
    """A deployment of this status as the table of deployments would take it."""
    if status in (Status.NEW, Status.REMOVED):
        return Deployment(None, status)
    if status is Status.OPERATIONAL:
        return Deployment(version or "1", status, (), ("0",))
    return Deployment(version, status, ("9",), ("0",))


@pytest.mark.parametrize(("begins", "outcome"), ENDS)
@pytest.mark.parametrize("version", ["1", None])
def test_every_end_satisfies_the_constraints_of_the_table(
    begins: tuple[Status, Kind], outcome: Outcome, version: str | None
) -> None:
    before, kind = deployment_in(begins[0], version), begins[1]
    if outcome in (Outcome.RECOVERED, Outcome.UNDONE) and (outcome is Outcome.RECOVERED) != bool(before.version):
        return  # whether there was a release decides which of the two it is
    target = {Kind.REMOVE: None, Kind.RECOVER: before.version}.get(kind, "2")
    left = after(before, operation(kind, before.version, target), outcome, history_kept=20)
    assert left.status in RESTING
    if left.status is Status.OPERATIONAL:
        assert left.version
        assert not left.leftovers
    if not left.exists:
        assert (left.version, left.leftovers, left.history) == (None, (), ())


def test_what_a_lost_operation_brought_is_remembered_until_an_operation_succeeds() -> None:
    lost = after(Deployment("1", Status.OPERATIONAL), operation(Kind.UPDATE, "1", "2"), Outcome.LOST, 20)
    lost = after(lost, operation(Kind.UPDATE, "1", "3"), Outcome.LOST, 20)
    assert (lost.version, lost.status, lost.leftovers) == ("1", Status.UPDATE_ERROR, ("2", "3"))
    mended = after(lost, operation(Kind.UPDATE, "1", "4"), Outcome.SUCCEEDED, 20)
    assert (mended.version, mended.leftovers, mended.history) == ("4", (), ("1",))


def lost(before: Deployment, *used: str) -> Deployment:
    """An apply of release 1 with this set failed, and so did its way back."""
    asked = replace(operation(Kind.APPLY, before.version, "1"), terms=Terms(used))
    return after(before, asked, Outcome.LOST, 20)


def test_what_a_release_came_with_is_not_forgotten_over_what_else_it_was_tried_with() -> None:
    plain = lost(Deployment("1", Status.OPERATIONAL), "site/web/1")
    assert plain.overrides.get("1", ()) == ()  # to which a recovery leads
    assert list(tried(plain.overrides)) == [("1", ("site/web/1",))]
    twice = lost(lost(lost(plain, "site/web/2"), "site/web/1"))
    assert [refs for _, refs in tried(twice.overrides)] == [("site/web/1",), ("site/web/2",)]
    with_values = lost(Deployment("1", Status.OPERATIONAL, overrides={"1": ("site/web/1",)}))
    assert (with_values.overrides["1"], list(tried(with_values.overrides))) == (("site/web/1",), [("1", ())])
    half = lost(lost(Deployment(), "site/web/1"), "site/web/2")
    assert (half.overrides["1"], list(tried(half.overrides))) == (("site/web/1",), [("1", ("site/web/2",))])
    asked = replace(operation(Kind.APPLY, None, "1"), terms=Terms(("site/web/3",)))
    assert after(half, asked, Outcome.SUCCEEDED, 20).overrides == {"1": ("site/web/3",)}


def test_going_back_forgets_what_came_after() -> None:
    three = Deployment("3", Status.OPERATIONAL, (), ("1", "2"))
    assert history_after(three, "2") == ("1",)
    assert history_after(three, "1") == ()
    assert history_after(three, "3") == ("1", "2")
    assert history_after(three, "4") == ("1", "2", "3")


@given(st.lists(st.sampled_from("12345"), max_size=30))
def test_the_current_release_is_never_in_its_own_history_twice_in_a_row(versions: list[str]) -> None:
    left = Deployment()
    for version in versions:
        kind = Kind.UPDATE if left.exists else Kind.APPLY
        left = after(left, operation(kind, left.version, version), Outcome.SUCCEEDED, 20)
        assert left.version == version
        assert version not in left.history[-1:]
        assert len(set(left.history)) == len(left.history)


def test_operations_in_a_status_that_forbids_them_cannot_be_begun() -> None:
    with pytest.raises(KeyError):
        status_during(Deployment(), Kind.UPDATE)
