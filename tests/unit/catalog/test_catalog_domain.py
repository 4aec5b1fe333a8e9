"""The life of a bundle, decided without a database."""

import pytest

from services.catalog.domain import (
    TRANSITIONS,
    AppFacts,
    Bundle,
    Happening,
    Release,
    State,
    faults_of,
    receive,
    wait_before_retry,
    withdraw,
)
from shared.bundle import manifest_of
from shared.messages.base import Fault
from shared.messages.catalog import PublishRelease, WithdrawRelease
from tests.support.bundles import manifest

PUBLISH = PublishRelease(bundle_sha256="a" * 64, bundle_bytes=10)
WITHDRAW = WithdrawRelease(app="lamp", version="1.0.0")


@pytest.mark.parametrize("state", [None, *State])
def test_publishing_does_what_the_table_says(state: State | None) -> None:
    after = receive(PUBLISH, Bundle(PUBLISH.bundle_sha256, state, app="lamp", version="1.0.0"), stored_bytes=10)
    expected = TRANSITIONS.get((state, Happening.PUBLISH))
    assert (after.state if isinstance(after, Bundle) else after.code) == (expected or "wrong_state")


@pytest.mark.parametrize("state", list(State))
def test_withdrawing_does_what_the_table_says(state: State) -> None:
    after = withdraw(WITHDRAW, Release("r", "lamp", "1.0.0", state, 1))
    expected = TRANSITIONS.get((state, Happening.WITHDRAW))
    assert (after.state if isinstance(after, Release) else after.code) == (expected or "wrong_state")


def test_every_state_but_withdrawn_leads_on() -> None:
    assert {state for state, _ in TRANSITIONS} == {None, *State} - {State.WITHDRAWN}
    assert set(TRANSITIONS.values()) == set(State)


def test_a_bundle_must_lie_in_the_store_as_announced() -> None:
    missing, short = (receive(PUBLISH, Bundle("a" * 64), size) for size in (None, 9))
    assert isinstance(missing, Fault)
    assert isinstance(short, Fault)
    assert (missing.code, short.code) == ("unknown_bundle", "wrong_size")


def test_all_conflicts_with_the_app_are_told_at_once() -> None:
    found = faults_of(manifest_of(manifest()), AppFacts("semver", twin_version="1.0"))
    assert [fault.code for fault in found] == ["scheme_differs", "version_exists"]


def test_retries_come_ever_later_up_to_a_limit() -> None:
    assert [wait_before_retry(attempt, 2, 60) for attempt in (1, 2, 3, 6, 1000)] == [2, 4, 8, 60, 60]
