"""Charts of a bundle are looked into before it is published; with a helm at hand, by it too."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.bundle import BundleRefused, build, verify
from shared.bundle.packed_charts import look_into_charts
from tests.support.bundles import bundle, member, written
from tests.support.kubernetes.sites import CHART
from tests.support.starlingx import chart as packed

OF_THE_TEST = {str(path.relative_to(CHART)): path.read_text() for path in CHART.rglob("*") if path.is_file()}
NO_HELM = "no-helm-here"


@pytest.fixture(autouse=True)
def _without_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", NO_HELM)


def built(folder: Path, files: dict[str, str], **spec: Any) -> None:
    component = {"driver": "helm", "name": "web", "spec": {"chart": "chart", "namespace": "shop", **spec}}
    manifest = {"app": "shop", "version": "1.0.0", "upgrades_from": None, "components": [component]}
    for name, text in {**files, "bundle.yaml": yaml.safe_dump(manifest)}.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_text(text)
    build(folder / "in", folder / "out.tar.gz", folder)


def refused(folder: Path, files: dict[str, str], **spec: Any) -> list[tuple[str, str, str]]:
    """Code, end of the field, and words of each fault."""
    with pytest.raises(BundleRefused) as caught:
        built(folder, files, **spec)
    return [(each.code, each.field.rpartition("spec.")[2], each.message) for each in caught.value.faults]


def chart(**changes: str) -> dict[str, str]:
    files = {f"chart/{name}": text for name, text in OF_THE_TEST.items()}
    return files | {f"chart/{name.replace('_', '/', 1)}": text for name, text in changes.items()}


def test_a_chart_with_values_is_taken(tmp_path: Path) -> None:
    built(tmp_path, {**chart(), "v.yaml": "a: &x 1\nb: *x\n"}, values_files=["v.yaml"])


def test_a_folder_without_a_chart_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, {"chart/values.yaml": ""}) == [
        ("missing_file", "chart", "the bundle holds no chart here: there is no chart/Chart.yaml")
    ]


def test_every_fault_of_a_chart_and_its_values_is_named(tmp_path: Path) -> None:
    files = {
        **chart(),
        "chart/Chart.yaml": "apiVersion: v3\nversion: one\ntype: library\n",
        "v.yaml": "- 1\n",
        "w.yaml": "{",
    }
    found = refused(tmp_path, files, values_files=["v.yaml", "w.yaml"])
    assert [(code, field) for code, field, _ in found] == [
        ("bad_values", "v.yaml:1"), ("bad_values", "w.yaml:2"), *[("bad_chart", "chart")] * 4,
    ]  # fmt: skip
    assert [words.split()[1] for _, _, words in found[2:]] == ["apiVersion:", "name:", "version:", "type:"]


def test_a_packed_chart_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in/web.tgz", "w:gz") as archive:
        archive.add(CHART / "values.yaml", "web/values.yaml")
    [(code, field, words)] = refused(tmp_path, {}, chart="web.tgz")
    assert (code, field, "Chart.yaml" in words) == ("bad_chart", "chart", True)
    with tarfile.open(tmp_path / "in/web.tgz", "w:gz") as archive:
        archive.add(CHART, "web")
    (tmp_path / "out.tar.gz").unlink(missing_ok=True)
    built(tmp_path, {}, chart="web.tgz")


def test_charts_that_take_too_long_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    for name in ("one.tgz", "two.tgz"):
        (tmp_path / "charts" / name).write_text("no chart")
    found, _ = look_into_charts(tmp_path, set(), until=0)
    assert [(each.code, each.field) for each in found] == [("too_slow", "charts/one.tgz")]
    assert [each.code for each in look_into_charts(tmp_path, set())[0]] == ["bad_chart", "bad_chart"]


def test_what_is_no_packed_chart_is_refused(tmp_path: Path) -> None:
    [(code, _, words)] = refused(tmp_path, {"web.tgz": "no"}, chart="web.tgz")
    assert (code, "cannot be read" in words) == ("bad_chart", True)


@pytest.mark.parametrize("name", ["oci://r.example/web:1.0", "../chart", "/chart", "oci://r.example/web@sha256:12"])
def test_a_chart_is_named_by_a_path_or_a_digest(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, chart(), chart=name)[0][1] == "chart"


def test_a_chart_of_a_registry_need_not_be_in_the_bundle(tmp_path: Path) -> None:
    built(tmp_path, {}, chart=f"oci://r.example/web@sha256:{'a' * 64}")


@pytest.mark.kubernetes
def test_helm_is_asked_where_it_is(tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    built(tmp_path, chart())
    [(code, field, words)] = refused(tmp_path, {**chart(), "chart/templates/bad.yaml": "{{ .Values.a.b.c }}"})
    assert (code, field) == ("bad_chart", "chart")
    assert "bad.yaml" in words
    assert str(tmp_path) not in words


@pytest.mark.kubernetes
def test_faulty_values_hide_no_fault_of_the_chart_that_is_there_whatever_they_are(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    files = {**chart(templates_more="{{ if }}\n"), "v.yaml": "- 1\n"}
    said = refused(tmp_path, files, values_files=["v.yaml"])
    assert [(code, where) for code, where, _ in said] == [("bad_values", "v.yaml:1"), ("bad_chart", "chart")]
    assert "parse error" in said[1][2]


@pytest.mark.kubernetes
def test_a_fault_of_the_chart_itself_hides_none_of_rendering(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    about = "apiVersion: v1\nname: other\nversion: 1.0.0\ndependencies: [{name: gone, version: 1.0.0}]\n"
    said = refused(tmp_path, {**chart(), "chart/Chart.yaml": about})
    assert [(code, where) for code, where, _ in said] == [("bad_chart", "chart"), ("bad_template", "chart")]


@pytest.mark.kubernetes
def test_charts_that_nothing_deploys_are_linted_and_what_only_their_values_lack_is_a_notice(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    (tmp_path / "charts").mkdir()
    for name, template in {
        "good": "a: {{ .Values.replicas }}\n",
        "lacks": "a: {{ .Values.a.b.c }}\n",
        "asks": 'a: {{ required "say the host" .Values.host }}\n',
        "wrong": "{{ if }}\n",
    }.items():
        (tmp_path / "charts" / f"{name}.tgz").write_bytes(packed(name, more={"templates/x.yaml": template}))
    faults, notices = look_into_charts(tmp_path, set())
    assert [(fault.code, fault.field) for fault in faults] == [("bad_chart", "charts/wrong.tgz")]
    [notice] = notices
    assert notice.startswith("charts/lacks.tgz: nothing deploys it")
    assert "nil pointer" in notice
    assert look_into_charts(tmp_path, {f"charts/{name}.tgz" for name in ("lacks", "asks", "wrong", "good")}) == ([], [])


def test_a_file_that_is_refused_hides_no_fault_inside_of_others(tmp_path: Path) -> None:
    component = {"driver": "helm", "name": "web", "spec": {"chart": "web.tgz", "namespace": "shop"}}
    said = yaml.safe_dump({"app": "shop", "version": "1.0.0", "components": [component]}).encode()
    content = bundle({"bundle.yaml": said, "web.tgz": b"no chart"}, extra=[member("../out", b"x")])
    with pytest.raises(BundleRefused) as caught:
        verify(written(tmp_path, content))
    assert [each.code for each in caught.value.faults] == ["path_traversal", "bad_chart"]
    assert caught.value.claim
    assert (caught.value.claim.app, caught.value.claim.version) == ("shop", "1.0.0")
