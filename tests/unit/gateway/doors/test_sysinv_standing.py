"""What the sysinv door tells of an app: its status, version and progress, by what Belay knows of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.doors.sysinv import shapes, words
from services.gateway.doors.sysinv.mixture import during, mixed
from services.gateway.doors.sysinv.standing import Deployed, Known, Operation, Release, Standing, Upload, standing_of
from shared.messages.words import DeploymentStatus, OperationKind

AT = datetime(2026, 3, 4, 14, 24, 47, tzinfo=UTC)
ONE, TWO = Release("1.0.0", AT), Release("2.0.0", AT + timedelta(hours=1))
BOTH = (TWO, ONE)


def there(version: str | None = "1.0.0", status: str = "operational", hours: float = 2) -> Deployed:
    return Deployed(version, status, AT + timedelta(hours=hours))


def op(kind: str, state: str = "running", **more: Any) -> Operation:
    return Operation("op", kind, state, **more)


def shown(**known: Any) -> tuple[str, str, str | None]:
    found = standing_of(Known("shop", **known))
    assert found is not None
    return found.status, found.version, found.progress


def ended(kind: str, *, failed: bool = False, **more: Any) -> Operation:
    ways = {"from_version": "1.0.0", "to_version": "2.0.0", **more}
    return op(kind, "failed" if failed else "succeeded", **ways)


CANCELLED = ended("update", failed=True, recovered=True, code="cancelled")
REMOVED = op("remove", "succeeded", from_version="1.0.0")
UPDATED = "Application update from version 1.0.0 to version 2.0.0"
BACK = "Application recover to version 1.0.0"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"releases": [ONE]}, ("uploaded", "1.0.0", "completed")),
        ({"releases": BOTH}, ("uploaded", "2.0.0", "completed")),
        ({"releases": [ONE], "running": op("apply", to_version="1.0.0")}, ("applying", "1.0.0", None)),
        (
            {"releases": [ONE], "running": op("apply", phase="deploy", to_version="1.0.0")},
            ("applying", "1.0.0", "applying application manifest"),
        ),
        (
            {"releases": [ONE], "running": op("apply", phase="fetch", to_version="1.0.0")},
            ("applying", "1.0.0", "retrieving docker images"),
        ),
        (
            {"releases": [ONE], "running": op("apply", phase="recover_remove", to_version="1.0.0")},
            ("recovering", "1.0.0", "recovering helm charts"),
        ),
        ({"releases": BOTH, "deployed": there()}, ("applied", "1.0.0", "completed")),
        (
            {"releases": BOTH, "deployed": there(), "running": op("update", to_version="2.0.0")},
            ("updating", "2.0.0", "Application update starting."),
        ),
        (
            {"releases": BOTH, "deployed": there(), "running": op("update", phase="upload")},
            ("updating", "1.0.0", "validating and uploading charts"),
        ),
        (
            {"releases": BOTH, "deployed": there(), "running": op("update", phase="remove", to_version="2.0.0")},
            ("updating", "2.0.0", "cleanup application version 1.0.0"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there("2.0.0"),
                "running": op("rollback", phase="deploy", to_version="1.0.0"),
            },
            ("updating", "1.0.0", "applying application manifest"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there(),
                "running": op("update", phase="recover_deploy", to_version="2.0.0"),
            },
            ("recovering", "1.0.0", "recovering version 1.0.0"),
        ),
        (
            {"releases": BOTH, "deployed": there(), "running": op("remove", phase="remove")},
            ("removing", "1.0.0", "deleting application manifest"),
        ),
        (
            {"releases": BOTH, "deployed": there("2.0.0"), "last": ended("update")},
            ("applied", "2.0.0", f"{UPDATED} completed."),
        ),
        (
            {"releases": BOTH, "deployed": there(), "last": ended("update", failed=True, recovered=True, message="x")},
            ("applied", "1.0.0", f"{UPDATED} aborted. {BACK} completed. x"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there(status="update_error"),
                "last": ended("update", failed=True, recovered=False, went=("deploy", "recover_deploy"), message="x"),
            },
            ("apply-failed", "1.0.0", f"{UPDATED} aborted. {BACK} aborted. x"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there("2.0.0", "update_error"),
                "last": ended("update", failed=True, recovered=False, message="x"),
            },
            (
                "apply-failed",
                "2.0.0",
                "Application shop update from version 1.0.0 to version 2.0.0 failed and recovery skipped. x",
            ),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there(),
                "last": ended("update", failed=True, recovered=True, code="cancelled"),
            },
            ("applied", "1.0.0", f"{UPDATED} aborted. {BACK} completed. operation aborted by user"),
        ),
        (
            {
                "releases": [ONE],
                "deployed": there("1.0.0", "apply_error"),
                "last": op("apply", "failed", to_version="1.0.0", code="image_unavailable", message="no such image"),
            },
            (
                "apply-failed",
                "1.0.0",
                "Failed to download images. Check sysinv and daemon logs for details. no such image",
            ),
        ),
        (
            {
                "releases": [ONE],
                "deployed": there(None, "new"),
                "last": op("apply", "failed", to_version="1.0.0", code="timeout", message="it took too long"),
            },
            ("apply-failed", "1.0.0", "it took too long"),
        ),
        (
            {
                "releases": [ONE],
                "deployed": there(None, "new"),
                "last": op("apply", "failed", to_version="1.0.0"),
                "put_away": frozenset({"op"}),
            },
            ("uploaded", "1.0.0", "completed"),
        ),
        (
            {
                "releases": [ONE],
                "deployed": there("1.0.0", "remove_error"),
                "last": op("remove", "failed", message="x"),
            },
            ("remove-failed", "1.0.0", "x"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there(None, "removed"),
                "last": REMOVED,
            },
            ("uploaded", "1.0.0", "completed"),
        ),
        (
            {
                "releases": BOTH,
                "deployed": there(None, "removed", hours=0.5),
                "last": REMOVED,
            },
            ("uploaded", "2.0.0", "completed"),
        ),
        ({"upload": Upload("p", "1.0.0", "under_way", "v", AT)}, ("uploading", "1.0.0", "v")),
        ({"upload": Upload("p", "1.0.0", "failed", "gone", AT)}, ("upload-failed", "1.0.0", "gone")),
        ({"upload": Upload("p", "1.0.0", "failed", "", AT), "releases": [ONE]}, ("uploaded", "1.0.0", "completed")),
    ],
)
def test_an_app_is_told_as_sysinv_would(known: dict[str, Any], told: tuple[str, str, str | None]) -> None:
    assert shown(**known) == told


def test_nothing_is_told_of_what_is_gone() -> None:
    for known in (
        Known("shop"),
        Known("shop", deployed=there(None, "removed"), last=REMOVED),
        Known("shop", deployed=there(None, "new"), last=op("apply", "failed", to_version="1.0.0")),
        Known("shop", upload=Upload("p", "1", "available", None, AT)),
        Known("shop", upload=Upload("p", "1", "failed", None, AT), put_away=frozenset({"p"})),
    ):
        assert standing_of(known) is None


@pytest.mark.parametrize("status", list(DeploymentStatus))
@pytest.mark.parametrize("kind", [kind for kind in OperationKind if kind != "prestage"])
def test_every_state_of_belay_has_a_word_of_theirs(status: str, kind: str) -> None:
    for running in (None, op(kind, to_version="2.0.0")):
        found = shown(releases=BOTH, deployed=there(status=status), running=running)
        assert found[0] in words.STATUSES


@pytest.mark.parametrize("status", [word for word in words.STATUSES if word not in ("missing", "inactive")])
def test_there_is_a_way_out_of_every_status(status: str) -> None:
    passes_by_itself = {"uploading", "recovering", "restore-requested", "update-starting"}
    assert status in passes_by_itself or any(status in allowed for allowed in words.MAY.values())


TEXTS = st.none() | st.text(max_size=400)


@given(TEXTS)
def test_a_progress_is_never_longer_than_theirs(progress: str | None) -> None:
    told = shapes.listed(Standing("shop", "1", "applied", progress))["progress"]
    assert told == progress if progress is None or len(progress) <= 255 else len(told) == 255 and told.endswith("...")


def standing(status: str, version: str = "1.0.0", progress: str | None = None, hours: int = 0) -> Standing:
    return Standing("shop", version, status, progress, updated_at=AT + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("sites", "told"),
    [
        ([standing("applied")] * 3, ("applied", "1.0.0", None)),
        (
            [standing("applied"), standing("applied", "2.0.0"), standing("applied", "2.0.0")],
            ("applied", "2.0.0", "of 3 sites 2 applied 2.0.0, 1 applied 1.0.0"),
        ),
        (
            [standing("uploaded"), standing("applied"), standing("uploaded")],
            ("applied", "1.0.0", "of 3 sites 2 uploaded 1.0.0, 1 applied 1.0.0"),
        ),
        (
            [standing("applied"), standing("apply-failed", "2.0.0", "disk full")],
            ("apply-failed", "2.0.0", "of 2 sites 1 applied 1.0.0, 1 apply-failed 2.0.0: disk full"),
        ),
        (
            [standing("apply-failed"), standing("updating", "2.0.0")],
            ("updating", "2.0.0", "of 2 sites 1 apply-failed 1.0.0, 1 updating 2.0.0"),
        ),
    ],
)
def test_a_group_shows_what_is_most_urgent(sites: list[Standing], told: tuple[str, str, str | None]) -> None:
    found = mixed(sites)
    assert (found.status, found.version, found.progress) == told


def test_while_a_strategy_runs_the_group_does_what_it_does() -> None:
    def told(state: str, found: Standing, version: str | None = "2.0.0", began: bool = True) -> Standing:
        spec, why = {"type": "update", "version": version}, {"message": "it has no checksums"}
        return during(found, {"state": state, "spec": spec, "why": why, "started_at": AT if began else None})

    found = told("applying", standing("applied"))
    assert (found.status, found.version) == ("updating", "2.0.0")
    assert told("applying", standing("recovering")).status == "recovering"
    waits = told("waiting", standing("applied"), None, began=False)
    assert (waits.status, waits.version, waits.progress) == ("updating", "1.0.0", "validating and uploading charts")
    in_vain = told("failed", standing("applied"), None, began=False)
    assert (in_vain.status, in_vain.version) == ("applied", "1.0.0")
    assert in_vain.progress == "Application update aborted. it has no checksums"
    assert told("failed", standing("applied")) == standing("applied")
