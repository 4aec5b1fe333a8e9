"""Application tarballs of StarlingX that its own validation refuses, or should."""

# ruff: noqa: E501 - tables: a line a case
from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Callable

from tests.support.bundles import member, tar
from tests.support.hostile.belay import BOMB_OF_ALIASES
from tests.support.hostile.case import Case, case
from tests.support.hostile.charts import of
from tests.support.starlingx import Files, armada, chart, flux, summed, tarball

MIB = 1 << 20
ROOT = "fluxcd-manifests"
MANIFEST_AGAIN = (
    "---\nschema: armada/Manifest/v1\nmetadata: {name: more}\ndata: {release_prefix: x, chart_groups: []}\n"
)
NAMED = b"app_name: lamp\napp_version: '1.0'\n"


def today(change: Callable[[Files], object]) -> Callable[[], bytes]:
    """A tarball of Flux, changed."""

    def make() -> bytes:
        files = flux()
        change(files)
        return tarball(files)

    return make


def of_2019(change: Callable[[Files], object]) -> Callable[[], bytes]:
    """A tarball of Armada, changed; it is named by metadata."""

    def make() -> bytes:
        files = {"metadata.yaml": NAMED, **armada()}
        change(files)
        return tarball(files)

    return make


def put(name: str, content: bytes) -> Callable[[Files], object]:
    return lambda files: files.update({name: content})


def drop(*beginnings: str) -> Callable[[Files], object]:
    return lambda files: [files.pop(name) for name in list(files) if name.startswith(beginnings)]


def swap(name: str, old: str, new: str) -> Callable[[Files], object]:
    return lambda files: files.update({name: files[name].replace(old.encode(), new.encode())})


def says(more: bytes) -> Callable[[], bytes]:
    """Metadata with this behind its names."""
    return today(put("metadata.yaml", NAMED + more))


def sums(*lists: bytes) -> Callable[[], bytes]:
    """Further lists of MD5 sums beside a good one."""
    return lambda: tarball({**summed(flux()), **{f"list{n}.md5": content for n, content in enumerate(lists)}})


def linked_chart() -> bytes:
    members = [member(name, content) for name, content in flux().items()]
    return _gzip([*members, member("charts/x.tgz", kind=tarfile.SYMTYPE, link="../../../etc/passwd")])


def heavy_twins() -> bytes:
    """Two charts of one name and version, each of 40 MiB that do not compress."""
    files = flux()
    for n in range(2):
        parts = (member(f"web/{part}", os.urandom(20 * MIB)) for part in range(2))
        files[f"charts/web-{n}.tgz"] = of(*parts)
    return tarball(files)


def many_values() -> bytes:
    """Nearly a megabyte, which does not compress."""
    return b"a: [" + os.urandom(400_000).hex(",", 2).encode()[:1_000_000] + b"]"


def _gzip(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    return gzip.compress(tar(members), 1)


RELEASE = f"{ROOT}/bulb/helmrelease.yaml"
KUSTOMIZATION = f"{ROOT}/kustomization.yaml"
WRONG = b"0" * 32 + b"  ./metadata.yaml\n"

CASES: tuple[Case, ...] = (
    case("sum that is wrong in the second of two lists", sums(WRONG), "wrong_checksum"),
    case("sum that is wrong in the first of three lists", sums(WRONG, b"", b""), "wrong_checksum", "bad_checksums"),
    case("sum of a file that is not there", sums(b"0" * 32 + b"  gone\n"), "missing_file"),
    case("line that is no sum", sums(b"nonsense\n"), "bad_checksums"),
    case("two files with a manifest of Armada", of_2019(put("other.yaml", armada()["manifest.yaml"])), "two_manifests"),
    case("two manifests in one file", of_2019(lambda f: f.update({"manifest.yaml": f["manifest.yaml"] + MANIFEST_AGAIN.encode()})), "two_manifests"),
    case("no manifest at all", of_2019(drop("manifest")), "missing_manifest"),
    case("no charts", today(drop("charts/")), "no_charts"),
    case("charts that are not packed", today(lambda f: (drop("charts/")(f), put("charts/bulb/Chart.yaml", b"a: 1")(f))), "no_charts"),
    case("chart that does not unpack", today(put("charts/bulb-1.0.0.tgz", b"no chart")), "bad_chart"),
    case("chart that nothing deploys and does not unpack", today(put("charts/other-1.tgz", b"no chart")), "bad_chart"),
    case("chart with a link", today(put("charts/bulb-1.0.0.tgz", of(member("web/x", kind=tarfile.SYMTYPE, link="/etc")))), "not_a_file"),
    case("chart that climbs out", today(put("charts/bulb-1.0.0.tgz", of(member("../../x", b"x")))), "path_traversal"),
    case("chart that is a bomb", today(put("charts/bulb-1.0.0.tgz", of(member("web/a", bytes(30 * MIB))))), "compression_bomb"),
    case("chart that is a link", linked_chart, "not_a_file"),
    case("chart of the same version with other content", today(put("charts/again-1.tgz", chart("bulb", more={"values.yaml": "replicas: 9\nimage: {}\n"}))), "chart_differs"),
    case("heavy charts of the same version with other content", heavy_twins, "chart_differs"),
    case("metadata that is a bomb", today(put("metadata.yaml", BOMB_OF_ALIASES)), "bad_yaml"),
    case("metadata that is nested deep", today(put("metadata.yaml", b"[" * 50_000)), "bad_yaml"),
    case("metadata that is not utf-8", today(put("metadata.yaml", b"app_name: \xff")), "bad_yaml"),
    case("metadata that is a list", today(put("metadata.yaml", b"[]")), "bad_yaml"),
    case("metadata of two documents", today(put("metadata.yaml", NAMED + b"---\n" + NAMED)), "bad_yaml"),
    case("metadata of 2 MiB", today(put("metadata.yaml", NAMED + b"#" * (2 * MIB))), "file_too_large"),
    case("metadata without names", today(put("metadata.yaml", b"class: optional\n")), "missing_name"),
    case("metadata with empty names", today(put("metadata.yaml", b"app_name: ''\napp_version:\n")), "invalid_field", "missing_name"),
    case("name that is none", today(put("metadata.yaml", b"app_name: Lamp of Oslo\napp_version: '1'\n")), "invalid_field"),
    case("metadata of wrong types", says(b"upgrades: 7\nbehavior: []\ndisabled_charts: {}\nclass: [a]\n"), "invalid_field"),
    case("word that is no truth", says(b"upgrades: {auto_update: perhaps}\n"), "invalid_field"),
    case("expression that must backtrack", says(b"upgrades: {from_versions: ['(a+)\\1+$']}\n"), "invalid_field"),
    case("expression that is none", says(b"dependent_apps: [{name: x, version: '['}]\n"), "invalid_field"),
    case("timing that is neither", says(b"k8s_upgrades: {auto_update: true, timing: later}\n"), "invalid_field"),
    case("timing without an update", says(b"k8s_upgrades: {timing: pre}\n"), "missing_field"),
    case("version of Kubernetes that is none", says(b"supported_k8s_version: {minimum: newest}\n"), "invalid_field"),
    case("no oldest Kubernetes", says(b"supported_k8s_version: {maximum: '1.30'}\n"), "missing_field"),
    case("action that is none", says(b"dependent_apps: [{name: x, action: explode}]\n"), "invalid_field"),
    case("class that is none", says(b"class: urgent\n"), "invalid_field"),
    case("single alternative", says(b"dependent_apps: [[{name: x}]]\n"), "invalid_field"),
    case("group that is not there", of_2019(swap("manifest.yaml", "chart_groups: [first", "chart_groups: [gone, first")), "unknown_group"),
    case("chart that no document describes", of_2019(swap("manifest.yaml", "chart_group: [lamp-bulb", "chart_group: [gone, lamp-bulb")), "unknown_chart"),
    case("chart in two groups", of_2019(swap("manifest.yaml", "chart_group: [lamp-switch", "chart_group: [lamp-bulb, lamp-switch")), "unknown_chart"),
    case("chart without a release", of_2019(swap("manifest.yaml", "  release: bulb\n", "")), "missing_field"),
    case("chart without a file", of_2019(drop("charts/bulb")), "missing_file"),
    case("location that leads out", of_2019(swap("manifest.yaml", "starlingx/bulb-1.0.0.tgz", "../..")), "missing_file"),
    case("manifest that is no YAML", of_2019(swap("manifest.yaml", "armada/Manifest/v1", "[")), "bad_yaml"),
    case("namespace that is none", of_2019(swap("manifest.yaml", "namespace: lamp", "namespace: 'Kube System'")), "invalid_field"),
    case("two charts as one release", of_2019(swap("manifest.yaml", "release: socket", "release: bulb")), "duplicate_release"),
    case("no base", today(drop(f"{ROOT}/base")), "missing_manifest"),
    case("no kustomization", today(drop(KUSTOMIZATION)), "missing_manifest"),
    case("folder outside", today(swap(KUSTOMIZATION, "- bulb", "- ../../bulb")), "path_traversal"),
    case("folder that is not there", today(swap(KUSTOMIZATION, "- bulb", "- gone")), "missing_manifest"),
    case("patches of kustomize", today(swap(KUSTOMIZATION, "resources:", "patches: [{path: x}]\nresources:")), "missing_file"),
    case("no HelmRelease", today(swap(RELEASE, "kind: HelmRelease", "kind: Secret")), "invalid_field"),
    case("HelmRelease of no chart", today(swap(RELEASE, "      chart: bulb\n", "")), "missing_field"),
    case("HelmRelease of a chart outside", today(swap(RELEASE, "chart: bulb", "chart: ../../bulb")), "missing_file"),
    case("HelmRelease of another version", today(swap(RELEASE, "version: 1.0.0", "version: 2.0.0")), "missing_file"),
    case("HelmReleases that wait for each other", today(swap(RELEASE, "  valuesFrom:", "  dependsOn: [{name: socket}]\n  valuesFrom:")), "components_in_a_cycle"),
    case("time that is none", today(swap(RELEASE, "timeout: 30m", "timeout: soon")), "invalid_field"),
    case("values that are a bomb", today(put(f"{ROOT}/bulb/bulb-static-overrides.yaml", BOMB_OF_ALIASES)), "bad_yaml"),
    case("values that are a list", today(put(f"{ROOT}/bulb/bulb-static-overrides.yaml", b"- 1\n")), "bad_values"),
    case("values with an infinite number", today(put(f"{ROOT}/bulb/bulb-static-overrides.yaml", b"a: .inf\n")), "bad_yaml"),
    case("eight texts of 200,000 values", today(lambda f: f.update({f"x{n}.yaml": many_values() for n in range(8)})), "bad_yaml"),
)  # fmt: skip
