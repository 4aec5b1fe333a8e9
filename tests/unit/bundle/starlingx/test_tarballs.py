"""Application tarballs of StarlingX are taken as they are: each chart becomes a component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.bundle import BundleRefused, unpack, verify
from shared.messages.manifest import Verified
from tests.support.bundles import written
from tests.support.starlingx import Files, armada, chart, flux, summed, tarball

NO_HELM = "no-helm-here"


@pytest.fixture(autouse=True)
def _without_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", NO_HELM)


def taken(folder: Path, files: Files, **asked: str) -> Verified:
    return verify(written(folder, tarball(summed(files))), **asked)  # type: ignore[arg-type]


def refused(folder: Path, files: Files, **asked: Any) -> list[tuple[str, str]]:
    with pytest.raises(BundleRefused) as caught:
        verify(written(folder, tarball(files)), **asked)
    return [(fault.code, fault.field) for fault in caught.value.faults]


def test_a_tarball_of_today_is_taken_with_its_names_values_and_order(tmp_path: Path) -> None:
    release = taken(tmp_path, flux())
    assert (release.app, release.version, release.scheme) == ("lamp", "1.0-1", "natural")
    bulb, socket = release.components
    assert (bulb.driver, bulb.name, bulb.after, bulb.timeout_seconds) == ("helm", "bulb", (), 1800)
    assert (socket.name, socket.after) == ("socket", ("bulb",))
    assert bulb.spec["chart"] == "charts/bulb-1.0.0.tgz"
    assert (bulb.spec["namespace"], bulb.spec["release"]) == ("lamp", "stx-bulb")
    assert bulb.spec["values"] == {"replicas": 2, "image": {"tag": "2"}}
    assert bulb.spec["rollout"]["seconds"] == bulb.spec["helm_seconds"] == 1800


def test_a_tarball_of_2019_is_taken_group_after_group(tmp_path: Path) -> None:
    release = taken(tmp_path, armada(), app="lamp", version="1.0-19-centos-stable-versioned")
    assert (release.app, release.version) == ("lamp", "1.0-19-centos-stable-versioned")
    assert {c.name: c.after for c in release.components} == {
        "bulb": (),
        "socket": ("bulb",),
        "switch": ("socket",),
        "timer": ("socket",),
    }
    bulb = release.components[0]
    assert (bulb.spec["release"], bulb.spec["namespace"], bulb.spec["values"]) == ("stx-bulb", "lamp", {"replicas": 2})
    assert bulb.spec["before_upgrade"] == [{"kind": "job", "labels": {"release_group": "bulb"}}]


def test_a_group_follows_all_charts_of_one_that_is_not_sequenced(tmp_path: Path) -> None:
    groups = {"first": (False, ("bulb", "socket")), "second": (True, ("switch",))}
    release = taken(tmp_path, armada(groups), app="lamp", version="1")
    assert release.components[2].after == ("bulb", "socket")


def test_a_tarball_without_names_needs_them_from_the_request(tmp_path: Path) -> None:
    assert refused(tmp_path, summed(armada())) == [
        ("missing_name", "metadata.yaml:app_name"),
        ("missing_name", "metadata.yaml:app_version"),
    ]
    release = taken(tmp_path, flux(), app="light")
    assert release.app == "light"
    assert any("published as light" in notice for notice in release.notices)


def test_it_is_unpacked_as_it_is_also_where_nobody_says_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, tarball(summed(armada())))
    unpack(path, tmp_path / "target")
    assert (tmp_path / "target/charts/bulb-1.0.0.tgz").read_bytes() == chart("bulb")


def test_every_line_of_every_list_of_sums_must_be_right(tmp_path: Path) -> None:
    good = summed(flux())
    line = good["checksum.md5"].splitlines()[0]
    assert refused(tmp_path, {**good, "more.md5": b"0" * 32 + b"  metadata.yaml\n" + line + b"\nnonsense\n"}) == [
        ("wrong_checksum", "more.md5:1"),
        ("bad_checksums", "more.md5:3"),
    ]


def test_a_file_that_a_list_names_must_be_there(tmp_path: Path) -> None:
    files = summed(flux())
    del files["fluxcd-manifests/base/namespace.yaml"]
    [(code, field)] = refused(tmp_path, files)
    assert (code, field.partition(":")[0]) == ("missing_file", "checksum.md5")


def test_all_faults_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    files = flux(charts={"bulb": "  timeout: soon\n"})
    files["metadata.yaml"] = b"app_name: lamp\napp_version: ''\nclass: urgent\nupgrades:\n  from_versions: ['(?=a)']\n"
    files["fluxcd-manifests/bulb/helmrelease.yaml"] = files["fluxcd-manifests/bulb/helmrelease.yaml"].replace(
        b"  timeout: 30m\n", b""
    )
    files["charts/other-2.tgz"] = b"no chart"
    assert set(refused(tmp_path, files)) == {
        ("invalid_field", "metadata.yaml:2:app_version"),
        ("invalid_field", "metadata.yaml:3:class"),
        ("invalid_field", "metadata.yaml:5:upgrades.from_versions[0]"),
        ("missing_name", "metadata.yaml:2:app_version"),
        ("invalid_field", "fluxcd-manifests/bulb/helmrelease.yaml:23:spec.timeout"),
        ("bad_chart", "charts/other-2.tgz"),
    }


@pytest.mark.kubernetes
def test_charts_are_rendered_with_their_values_and_images_are_listed(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    release = taken(tmp_path, flux())
    assert release.images == (
        "docker.io/library/busybox:1.36",
        "quay.io/lamps/bulb:2",
        "quay.io/lamps/socket:2",
    )


def test_without_helm_a_notice_says_that_nothing_was_rendered(tmp_path: Path) -> None:
    release = taken(tmp_path, flux())
    assert release.images == ()
    assert any("neither linted nor rendered" in notice for notice in release.notices)


def test_a_chart_that_has_not_changed_is_the_same_component_in_the_next_release(tmp_path: Path) -> None:
    first, second = flux(version="1.0-1"), flux(version="1.0-2")
    second["charts/socket-1.0.0.tgz"] = chart("socket", more={"values.yaml": "replicas: 7\nimage: {}\n"})
    old, new = taken(tmp_path, first).components, taken(tmp_path, second).components
    assert old[0] == new[0]
    assert old[0].files_sha256 is not None
    assert old[1].files_sha256 != new[1].files_sha256


def test_charts_that_take_too_long_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bundle.inside.SECONDS", -1)
    assert refused(tmp_path, flux()) == [("too_slow", "charts/bulb-1.0.0.tgz")]
