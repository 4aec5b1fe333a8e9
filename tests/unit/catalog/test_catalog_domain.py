"""The life of a bundle, decided without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from services.catalog.domain import (
    TRANSITIONS,
    AppFacts,
    Bundle,
    Content,
    Happening,
    Keeping,
    Release,
    State,
    faults_of,
    freed_if_stored_by,
    receive,
    wait_before_retry,
    withdraw,
)
from shared.bundle.claim import claim_of
from shared.bundle.manifests import read_manifest
from shared.messages.base import Fault
from shared.messages.catalog import PublishRelease, WithdrawRelease
from tests.support.bundles import manifest

PUBLISH = PublishRelease(bundle_sha256="a" * 64, bundle_bytes=10)
WITHDRAW = WithdrawRelease(app="lamp", version="1.0.0")


@pytest.mark.parametrize("state", [None, *State])
def test_publishing_does_what_the_table_says(state: State | None) -> None:
    bundle = Bundle(PUBLISH.bundle_sha256, state, app="lamp", version="1.0.0")
    after = receive(PUBLISH, bundle, stored_bytes=10, limit=10)
    expected = TRANSITIONS.get((state, Happening.PUBLISH))
    assert (after.state if isinstance(after, Bundle) else after.code) == (expected or "wrong_state")


@pytest.mark.parametrize("state", list(State))
def test_withdrawing_does_what_the_table_says(state: State) -> None:
    after = withdraw(WITHDRAW, Release("r", "lamp", "1.0.0", state, 1, "a" * 64))
    expected = TRANSITIONS.get((state, Happening.WITHDRAW))
    assert (after.state if isinstance(after, Release) else after.code) == (expected or "wrong_state")


def test_every_state_leads_on() -> None:
    assert {state for state, _ in TRANSITIONS} == {None, *State}
    assert set(TRANSITIONS.values()) == set(State)


def test_a_bundle_must_lie_in_the_store_as_announced() -> None:
    missing, short = (receive(PUBLISH, Bundle("a" * 64), size, limit=10) for size in (None, 9))
    assert isinstance(missing, Fault)
    assert isinstance(short, Fault)
    assert (missing.code, short.code) == ("unknown_bundle", "wrong_size")


def test_a_bundle_beyond_the_limit_is_refused_before_anything_else() -> None:
    found = receive(PUBLISH, Bundle("a" * 64), stored_bytes=10, limit=9)
    assert isinstance(found, Fault)
    assert (found.code, found.field, found.value) == ("too_large", "bundle_bytes", 10)


NOW = datetime(2026, 11, 21, tzinfo=UTC)
KEEPING = Keeping(withdrawn=timedelta(days=7), unpublished=timedelta(days=1))
LONG_AGO, YESTERDAY = NOW - timedelta(days=30), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("content", "stored_by"),
    [
        (Content("a"), YESTERDAY),
        (Content("a", held=True), None),
        (Content("a", State.REJECTED, NOW, NOW, held=True), None),
        (Content("a", let_go_at=NOW, prepared=True), NOW),
        (Content("a", let_go_at=LONG_AGO, prepared=True), YESTERDAY),
        (Content("a", State.VALIDATING, None, LONG_AGO), None),
        (Content("a", State.AVAILABLE, LONG_AGO, LONG_AGO), None),
        (Content("a", State.AVAILABLE, LONG_AGO, LONG_AGO, LONG_AGO), None),
        (Content("a", State.REJECTED, NOW, NOW), NOW),
        (Content("a", State.REJECTED, LONG_AGO, LONG_AGO), YESTERDAY),
        (Content("a", State.REJECTED, LONG_AGO, None), YESTERDAY),
        (Content("a", State.WITHDRAWN, LONG_AGO, LONG_AGO), None),
        (Content("a", State.WITHDRAWN, YESTERDAY, LONG_AGO, NOW), None),
        (Content("a", State.WITHDRAWN, LONG_AGO, LONG_AGO, NOW), YESTERDAY),
    ],
)
def test_content_is_freed_only_when_nobody_needs_it(content: Content, stored_by: datetime | None) -> None:
    assert freed_if_stored_by(content, KEEPING, NOW) == stored_by


def test_all_conflicts_with_the_app_are_told_at_once() -> None:
    reading = read_manifest(manifest())
    release = claim_of(reading.document.value, reading.places)
    assert release
    found = faults_of(release, AppFacts("semver", twin_version="1.0"))
    lines = manifest().decode().splitlines()
    said = next(number for number, line in enumerate(lines, start=1) if line.startswith("version:"))
    assert [(fault.code, fault.field) for fault in found] == [
        ("scheme_differs", "bundle.yaml:1:scheme"),  # which it does not say: pep440
        ("version_exists", f"bundle.yaml:{said}:version"),
    ]


def test_retries_come_ever_later_up_to_a_limit() -> None:
    assert [wait_before_retry(attempt, 2, 60) for attempt in (1, 2, 3, 6, 1000)] == [2, 4, 8, 60, 60]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("", True),
        ("a.tgz", True),
        ("A.TAR.GZ", True),
        ("a.zip", False),
        ("a.tgz.exe", False),
        ("download", True),
        ("v1.0", True),
    ],
)
def test_a_file_of_another_name_is_refused_whatever_lies_in_it(name: str, *, taken: bool) -> None:
    command = PUBLISH.model_copy(update={"file_name": name})
    found = receive(command, Bundle("a" * 64), stored_bytes=10, limit=10)
    assert isinstance(found, Bundle) is taken
    assert taken or (isinstance(found, Fault) and found.code == "wrong_extension")
