"""Bundles and their space on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared import components
from shared.bundle.hosts import named_by, this_host
from shared.entry_points import BadEntryPoint
from shared.messages.manifest import Requires
from tests.support.bundles import bundle, manifest
from tests.support.wheels import pin, wheel, wheel_name
from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

STORE: dict[str, Any] = {
    "used_bytes": 9 << 20, "prepared_bytes": 4 << 20, "bundles": 3,
    "withdrawn_bytes": 1 << 20, "reclaimable_bytes": 2 << 20,
    "free_bytes": 90 << 30, "limit_bytes": 1 << 30, "measured_at": "2026-11-21T09:30:00Z",
}  # fmt: skip

PROCESS = b"""\
app: lamp
version: "1.0.0"
components:
  - {driver: process, name: web, requirements: requirements.lock, command: [bulb]}
"""


def test_all_faults_of_all_bundles_are_told_each_with_its_file(belay: Belay, tmp_path: Path) -> None:
    good, bad, worse = (tmp_path / f"{name}.tar.gz" for name in ("good", "bad", "worse"))
    good.write_bytes(bundle())
    bad.write_bytes(bundle({"bundle.yaml": manifest(more="colour: red\nsize: 3\n")}))
    worse.write_bytes(b"no archive")
    result = belay("bundle", "verify", *map(str, (bad, good, worse)), "--json")
    assert result.exit_code == 1
    assert [row["app"] for row in json.loads(result.stdout)] == ["lamp"]
    faults = json.loads(result.stderr)["faults"]
    assert [fault["field"] for fault in faults] == [
        f"{bad}: bundle.yaml:7:colour",
        f"{bad}: bundle.yaml:8:size",
        f"{worse}: ",
    ]


def test_a_driver_that_cannot_be_used_is_named_before_any_bundle_is_judged(
    belay: Belay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise BadEntryPoint("belay.components helm = nowhere:Spec of broken cannot be imported")

    monkeypatch.setattr(components, "specs", broken)
    (tmp_path / "good.tar.gz").write_bytes(bundle())
    result = belay("bundle", "verify", str(tmp_path / "good.tar.gz"))
    assert result.exit_code == 1
    assert "nowhere:Spec of broken" in result.stderr
    assert "mend or remove" in result.stderr


def test_a_bundle_beyond_the_limit_is_refused_before_it_is_sent(
    belay: Belay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_MAX_BUNDLE_BYTES", "100")
    path = tmp_path / "large.tar.gz"
    path.write_bytes(bundle())
    result = belay("bundle", "verify", str(path))
    assert result.exit_code == 1
    assert "100 bytes" in result.stderr
    assert "BELAY_MAX_BUNDLE_BYTES" in result.stderr


def test_a_bundle_is_verified_for_the_hosts_that_belay_knows(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    (arm,) = named_by(Requires(python="==3.12.*", platforms=("manylinux_2_28_aarch64",)), [])
    facts = {"environment": dict(arm.environment), "abis": arm.abis, "platforms": arm.platforms, "heard_at": ""}
    gateway.items("/v1/hosts", {"host": "oslo", **facts})
    tag = f"{this_host().abis[0]}-{this_host().abis[0]}-{this_host().platforms[0]}"
    content = wheel("bulb", tag=tag)
    files = {"bundle.yaml": PROCESS, "requirements.lock": pin("bulb", content).encode()}
    path = tmp_path / "here.tar.gz"
    path.write_bytes(bundle(files | {f"wheels/{wheel_name('bulb', tag=tag)}": content}))
    assert belay("bundle", "verify", str(path)).exit_code == 0
    refused = belay("bundle", "verify", "--hosts", str(path))
    assert refused.exit_code == 1
    assert "(oslo)" in refused.stderr
    assert wheel_name("bulb", tag=tag) in refused.stderr


@pytest.mark.parametrize(("free", "finding"), [(90 << 30, "ok"), (1 << 29, "wrong"), (None, "ok")])
def test_doctor_shows_the_space_that_bundles_take(gateway: Stub, belay: Belay, free: int | None, finding: str) -> None:
    gateway.answers["GET /v1/storage"] = 200, STORE | {"free_bytes": free}
    rows = json.loads(belay("doctor", "--json").stdout)
    (row,) = [row for row in rows if row["check"] == "bundles"]
    assert row["finding"] == finding
    for figure in ("5 MiB in 3", "4 MiB prepared", "2 MiB needed by nobody", "1 MiB of withdrawn releases"):
        assert figure in row["detail"]
    assert ("1.0 GiB" in row["advice"]) == (finding == "wrong")


BULB: dict[str, Any] = {
    "app": "lamp", "version": "1.0", "state": "available", "bundle_bytes": 375, "components": [], "preparation": None,
    "published_at": "2026-11-21T09:30:00Z",
}  # fmt: skip
MADE: dict[str, Any] = {
    "state": "prepared", "bytes": 0, "site_bytes": 3 << 20, "items": 1, "cause": None,
    "changed_at": "2026-11-21T09:30:00Z", "notes": [{"component": "chart", "text": "nodes pull its images"}],
}  # fmt: skip
AWAY: dict[str, Any] = MADE | {
    "state": "failed", "bytes": None, "site_bytes": None, "items": 0, "notes": [],
    "cause": {"code": "disk_full", "message": "no room"}, "changed_at": "2026-11-21T09:29:00Z",
}  # fmt: skip


def test_a_preparation_is_watched_to_its_end(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/releases/lamp/1.0/prepare", state="preparing")
    stands = iter([AWAY, AWAY, MADE | {"state": "preparing"}, MADE])  # it failed before
    gateway.answers["GET /v1/releases/lamp/1.0"] = lambda _: (200, BULB | {"preparation": next(stands)})
    gateway.events = ["release_prepared"]
    result = belay("release", "prepare", "lamp", "1.0", "--watch")
    assert result.exit_code == 0
    assert "3 MiB in 1 item" in result.stdout
    assert "chart: nodes pull its images" in result.stdout


def test_why_an_earlier_deletion_was_refused_is_not_told_of_this_one(gateway: Stub, belay: Belay) -> None:
    gateway.accept("DELETE /v1/releases/lamp/1.0", version="1.0")
    needed = {
        "state": "refused",
        "cause": {"code": "release_needed", "message": "2 sites"},
        "at": "2026-11-21T09:30:00Z",
    }
    asked = needed | {"state": "asked", "cause": None, "at": "2026-11-21T09:31:00Z"}
    stands = iter([needed, needed, asked])
    gone = 404, {"title": "gone", "status": 404, "code": "unknown_release"}
    gateway.answers["GET /v1/releases/lamp/1.0"] = lambda _: (
        (200, BULB | {"deletion": deletion}) if (deletion := next(stands, None)) else gone
    )
    result = belay("release", "delete", "lamp", "1.0")
    assert (result.exit_code, "is deleted" in result.stdout) == (0, True)
    again = iter([needed, needed, asked, needed | {"at": "2026-11-21T09:32:00Z"}])
    gateway.answers["GET /v1/releases/lamp/1.0"] = lambda _: (200, BULB | {"deletion": next(again)})
    result = belay("release", "delete", "lamp", "1.0")
    assert (result.exit_code, "2 sites" in result.stderr) == (3, True)


def test_a_preparation_that_failed_says_why_and_ends_badly(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/releases/lamp/1.0/prepare", state="preparing")
    stands = iter([None, AWAY])
    gateway.answers["GET /v1/releases/lamp/1.0"] = lambda _: (200, BULB | {"preparation": next(stands)})
    result = belay("release", "prepare", "lamp", "1.0", "--watch", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["code"] == "disk_full"
    gateway.refuse("POST /v1/releases/lamp/1.0/prepare", 422, "release_withdrawn")
    assert belay("release", "prepare", "lamp", "1.0").exit_code == 3


def test_what_was_prepared_is_listed_with_sizes_and_digests(gateway: Stub, belay: Belay) -> None:
    item = {"component": "bulb", "kind": "image", "name": "r:5000/app", "sha256": "a" * 64, "bytes": 3 << 20}
    content = {"items": [item | {"platform": "linux/amd64"}], "notes": MADE["notes"]}
    gateway.answers["GET /v1/releases/lamp/1.0/content"] = 200, content
    shown = belay("release", "content", "lamp", "1.0").stdout
    for text in ("r:5000/app", "3 MiB", "linux/amd64", "a" * 64, "chart: nodes pull its images"):
        assert text in shown
