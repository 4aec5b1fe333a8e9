"""Who asks for a preparation is told what becomes of it, and it is begun once for all."""

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain import Release
from services.catalog.domain import State as ReleaseState
from services.catalog.preparation.domain import (
    MOST_ASKING,
    TRANSITIONS,
    Happening,
    Preparation,
    State,
    ask,
    cause_again,
    cause_of,
    gives_up,
)
from services.catalog.preparation.worker import failing_code
from services.catalog.settings import CatalogSettings
from shared.blobs import BlobStoreFailed, WrongContent
from shared.downloads.registry import RegistryAway
from shared.messages.base import Cause, Fault
from shared.messages.catalog import PrepareRelease

RELEASE = Release("r", "lamp", "1.0.0", ReleaseState.AVAILABLE, 1, "a" * 64)
AWAY = Cause(code="registry_unreachable", message="it is away")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHO = st.sampled_from([None, "s1/1", "s1/2", "s2/1"])


def asks(on_behalf: str | None = None) -> PrepareRelease:
    return PrepareRelease(app="lamp", version="1.0.0", on_behalf=on_behalf)


@pytest.mark.parametrize("state", [None, *State])
def test_asking_does_what_the_table_says(state: State | None) -> None:
    before = Preparation(state, cause=AWAY if state is State.FAILED else None)
    after = ask(asks("s1/1"), RELEASE, before)
    assert isinstance(after, Preparation)
    assert after.state is TRANSITIONS[state, Happening.ASK]


@given(st.lists(st.one_of(st.tuples(st.just("ask"), WHO), st.tuples(st.sampled_from(["fail", "succeed"]), st.none()))))
def test_for_one_that_failed_each_name_begins_it_at_most_once_and_success_is_kept(steps: list[tuple[str, str]]) -> None:
    preparation, begun = Preparation(), list[str | None]()
    for what, who in steps:
        if what == "ask":
            after = ask(asks(who), RELEASE, preparation)
            if isinstance(after, Fault):
                assert preparation.state is State.FAILED
                assert who in preparation.on_behalf
                continue
            if after.state is not preparation.state:
                begun.append(who)
            assert who is None or after.state is State.PREPARED or who in after.on_behalf
            preparation = after
        elif preparation.state is State.PREPARING:
            failed = what == "fail"
            preparation = replace(
                preparation, state=State.FAILED if failed else State.PREPARED, cause=AWAY if failed else None
            )
        named = [one for one in begun if one is not None]
        assert len(named) == len(set(named))


def test_who_had_asked_hears_the_same_cause_again_and_a_person_may_always_try() -> None:
    failed = Preparation(State.FAILED, ("s1/1",), AWAY)
    refused = ask(asks("s1/1"), RELEASE, failed)
    assert isinstance(refused, Fault)
    assert (refused.code, refused.field, refused.value) == ("preparation_failed", "on_behalf", "registry_unreachable")
    assert cause_again(refused, failed) == AWAY
    again = ask(asks(), RELEASE, failed)
    assert isinstance(again, Preparation)
    assert (again.state, again.on_behalf, again.cause) == (State.PREPARING, ("s1/1",), None)


def test_of_those_who_ask_the_last_ones_are_remembered() -> None:
    many = Preparation(State.PREPARING, tuple(f"s{n}/1" for n in range(MOST_ASKING)))
    after = ask(asks("new"), RELEASE, many)
    assert isinstance(after, Preparation)
    assert (len(after.on_behalf), after.on_behalf[0], after.on_behalf[-1]) == (MOST_ASKING, "s1/1", "new")


def test_what_is_not_there_or_withdrawn_is_refused_with_the_reason() -> None:
    unknown = ask(asks(), None, Preparation())
    withdrawn = ask(asks(), replace(RELEASE, state=ReleaseState.WITHDRAWN), Preparation(State.PREPARED))
    assert isinstance(unknown, Fault)
    assert isinstance(withdrawn, Fault)
    assert (unknown.code, withdrawn.code) == ("unknown_release", "release_withdrawn")
    assert "withdrawn, not available" in withdrawn.message
    assert cause_again(withdrawn, None).code == "release_withdrawn"


def test_trouble_is_borne_for_a_bounded_time() -> None:
    patience = timedelta(seconds=10)
    assert not gives_up(None, patience, NOW)
    assert not gives_up(NOW - timedelta(seconds=9), patience, NOW)
    assert gives_up(NOW - patience, patience, NOW)


def test_a_cause_is_never_longer_than_its_event_takes() -> None:
    assert len(cause_of("disk_failed", "x" * 10_000).message) == 1_000


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RegistryAway("it is away"), "registry_unreachable"),
        (WrongContent("other bytes"), "wrong_content"),
        (BlobStoreFailed("no answer"), "store_unreachable"),
        (BlobStoreFailed("Generic LocalFileSystem error: No space left on device (os error 28)"), "disk_full"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EIO, "Input/output error"), "disk_failed"),
        (TimeoutError(), "disk_failed"),
    ],
)
def test_trouble_that_lasts_is_told_by_its_code(error: Exception, code: str) -> None:
    assert failing_code(error) == code


def test_settings_of_registries_are_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_CATALOG_REGISTRY_MIRRORS", "images.example=10.0.0.1:5000/proxy, other.example=near:5000")
    monkeypatch.setenv("BELAY_CATALOG_PLAIN_REGISTRIES", "near:5000,10.0.0.1:5000")
    access = CatalogSettings().access
    assert access.mirrors == {"images.example": "10.0.0.1:5000/proxy", "other.example": "near:5000"}
    assert access.plain == {"near:5000", "10.0.0.1:5000"}
    monkeypatch.setenv("BELAY_CATALOG_REGISTRY_MIRRORS", "images.example")
    with pytest.raises(ValueError, match="must be HOST=HOST"):
        CatalogSettings()
