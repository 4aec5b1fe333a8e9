"""What an order finds among the revisions of its release, from every state in which it can have been cut short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.helm import history
from services.deployer.drivers.helm.history import (
    Abandoned,
    Ended,
    Free,
    Halfway,
    Occupied,
    Reached,
    Revision,
    Uninstalling,
)  # fmt: skip

OLD, PATIENCE = 1000.0, 600.0
STATUSES = sorted([*history.SOUND, *history.PENDING, "failed", "uninstalling", "uninstalled", "unknown"])

revisions = st.lists(
    st.tuples(st.sampled_from(STATUSES), st.sampled_from(["", "mine", "other"]), st.sampled_from([0.0, OLD])),
    max_size=6,
).map(lambda rows: [Revision(n, status, mark, age=age) for n, (status, mark, age) in enumerate(rows, start=1)])


def test_an_order_that_changed_nothing_finds_the_way_free() -> None:
    assert history.find([], "mine", None, PATIENCE) == Free(0)
    assert history.find([Revision(3, "deployed", "other")], "mine", None, PATIENCE) == Free(3)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("deployed", Reached),
        ("superseded", Reached),
        ("failed", Ended),
        ("pending-upgrade", Halfway),
        ("pending-rollback", Halfway),
    ],
)
def test_an_order_knows_its_own_revision_by_its_mark(status: str, found: type) -> None:
    own = Revision(2, status, "mine")
    assert history.find([Revision(1, "superseded", "other"), own], "mine", 1, PATIENCE) == found(own)


def test_a_mark_that_helm_copied_to_a_later_revision_is_not_the_orders() -> None:
    """A person's upgrade after ours has our labels, too."""
    ours, by_hand = Revision(2, "superseded", "mine"), Revision(3, "pending-upgrade", "mine")
    assert history.find([ours, by_hand], "mine", 1, PATIENCE) == Reached(ours)
    assert history.find([ours, by_hand], "next", None, PATIENCE) == Occupied(by_hand)


def test_a_revision_of_long_before_is_not_taken_for_the_orders_own() -> None:
    rolled_back = Revision(1, "superseded", "mine")
    assert history.find([rolled_back], "mine", 1, PATIENCE) == Free(1)


def test_what_another_order_of_ours_left_pending_is_abandoned_at_once_and_anothers_when_it_is_old() -> None:
    assert history.find([Revision(1, "pending-install", "other")], "mine", None, PATIENCE) == Abandoned(
        Revision(1, "pending-install", "other")
    )
    young, old = Revision(1, "pending-install"), Revision(1, "pending-install", age=OLD)
    assert history.find([young], "mine", None, PATIENCE) == Occupied(young)
    assert history.find([old], "mine", None, PATIENCE) == Abandoned(old)


def test_half_an_uninstall_is_finished_first() -> None:
    assert history.find([Revision(1, "uninstalling")], "mine", None, PATIENCE) == Uninstalling()


@given(revisions, st.none() | st.integers(0, 6))
def test_no_order_goes_ahead_beside_a_pending_revision(there: list[Revision], base: int | None) -> None:
    found = history.find(there, "mine", base, PATIENCE)
    if isinstance(found, Free):
        assert not there or not there[-1].pending
        assert found.last == (there[-1].number if there else 0)
    if isinstance(found, Reached | Ended | Halfway):
        assert base is not None
        assert found.revision.number > base


@given(revisions)
def test_the_sequence_in_which_they_come_does_not_matter(there: list[Revision]) -> None:
    assert history.find(there, "mine", 1, PATIENCE) == history.find(there[::-1], "mine", 1, PATIENCE)


def test_a_revision_is_read_from_the_labels_of_its_secret() -> None:
    labels = {"owner": "helm", "version": "7", "status": "deployed", "belay-order": "m", "modifiedAt": "100"}
    read = history.revision_of({"name": "sh.helm.release.v1.a.v7", "resourceVersion": "12", "labels": labels}, 160)
    assert read == Revision(7, "deployed", "m", "sh.helm.release.v1.a.v7", "12", 60)
    assert history.revision_of({"name": "password"}, 0) is None


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(), json_values))
def test_a_record_is_read_as_it_was_written(record: dict[str, Any]) -> None:
    assert history.decode(history.encode(record)) == record


@pytest.mark.parametrize("data", ["", "!", "YWJj", "WVdKag==", "MQ=="])
def test_what_is_no_record_is_one_error(data: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind, which is what the caller catches
        history.decode(data)


def test_a_failed_record_keeps_everything_else() -> None:
    record = {"name": "web", "info": {"status": "pending-upgrade", "notes": "n"}}
    assert history.failed(record, "why") == {
        "name": "web",
        "info": {"status": "failed", "notes": "n", "description": "why"},
    }


@pytest.mark.parametrize(
    ("status", "info", "own"),
    [
        ("deployed", {"rollback_revision": 2}, True),
        ("deployed", {"description": "Rollback to 2"}, True),
        ("failed", {"description": 'Rollback "web" failed: no'}, True),
        ("deployed", {"rollback_revision": 1, "description": "Rollback to 1"}, False),
        ("deployed", {"description": "Upgrade complete"}, False),
        ("failed", {"description": 'Upgrade "web" failed: no'}, False),
    ],
)
def test_a_rollbacks_revision_is_known_by_what_it_returns_to(status: str, info: dict[str, Any], own: bool) -> None:
    read = history.with_mark_of_rollback(Revision(5, status, "copied"), {"info": info}, "2", "mine")
    assert read.mark == ("mine" if own else "copied")
