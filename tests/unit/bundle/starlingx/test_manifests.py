"""What manifests of Armada and of Flux say of a chart, and what of it has no meaning here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.bundle import BundleRefused, verify
from shared.messages.manifest import Verified
from tests.support.bundles import written
from tests.support.starlingx import Files, armada, chart, flux, tarball

BULB = "fluxcd-manifests/bulb/helmrelease.yaml"
TOP = "fluxcd-manifests/kustomization.yaml"
STATIC = "fluxcd-manifests/bulb/bulb-static-overrides.yaml"
NAMED = {"metadata.yaml": b"app_name: lamp\napp_version: '1'\n"}


@pytest.fixture(autouse=True)
def _without_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", "no-helm-here")


@pytest.fixture
def taken(tmp_path: Path) -> Callable[[Files], Verified]:
    return lambda files: verify(written(tmp_path, tarball(files)))


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Files], list[tuple[str, str]]]:
    def read(files: Files) -> list[tuple[str, str]]:
        with pytest.raises(BundleRefused) as caught:
            verify(written(tmp_path, tarball(files)))
        return [(fault.code, fault.field) for fault in caught.value.faults]

    return read


Taken = Callable[[Files], Verified]
Refused = Callable[[Files], list[tuple[str, str]]]


def changed(files: Files, name: str, *pairs: tuple[str, str]) -> Files:
    text = files[name].decode()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return {**files, name: text.encode()}


def bulb(more: str = "") -> Files:
    return flux(charts={"bulb": more})


# -- Flux -------------------------------------------------------------------------------------------------------------


def test_values_are_laid_over_each_other_as_flux_does(taken: Taken) -> None:
    files = bulb("  values:\n    image: {tag: inline}\n    extra: null\n")
    files |= {
        STATIC: b"image: {repository: r, tag: static}\nlist: [1, 2]\nkept: yes\n",
        STATIC.replace("static", "system"): b"list: [3]\nimage: {tag: system}\n",
    }
    [component] = taken(files).components
    assert component.spec["values"] == {
        "image": {"repository": "r", "tag": "inline"},
        "list": [3],
        "kept": True,
        "extra": None,
    }


def test_values_of_a_secret_of_the_cluster_are_told(taken: Taken) -> None:
    files = changed(bulb(), BULB, ("  valuesFrom:\n", "  valuesFrom:\n    - {kind: Secret, name: elsewhere}\n"))
    assert any("elsewhere (values.yaml) lie in no file" in notice for notice in taken(files).notices)


def test_aliases_and_merges_are_read(taken: Taken) -> None:
    files = {**bulb(), STATIC: b"a: &a {x: 1, z: 2}\nb:\n  <<: *a\n  z: 3\nc: *a\n"}
    [component] = taken(files).components
    assert component.spec["values"] == {"a": {"x": 1, "z": 2}, "b": {"x": 1, "z": 3}, "c": {"x": 1, "z": 2}}


@pytest.mark.parametrize(
    ("more", "hooks", "crds"),
    [
        ("", True, True),
        ("    disableHooks: true\n", False, True),
        ("    disableHooks: true\n    crds: Skip\n", False, False),
    ],
)
def test_hooks_and_definitions_are_left_out_where_that_is_said(
    taken: Taken, more: str, *, hooks: bool, crds: bool
) -> None:
    plain = "  install:\n    disableHooks: false\n  upgrade:\n    disableHooks: false\n"
    files = changed(bulb(), BULB, (plain, f"  install:\n{more}  upgrade:\n{more}" if more else plain))
    [component] = taken(files).components
    assert (component.spec["hooks"], component.spec["crds"]) == (hooks, crds)


def test_the_namespace_that_kustomize_would_give_wins(taken: Taken) -> None:
    inner = "fluxcd-manifests/bulb/kustomization.yaml"
    files = changed(bulb(), inner, ("namespace: lamp", "namespace: inner"))
    release = taken(files)
    assert release.components[0].spec["namespace"] == "lamp"
    assert any("wins, as kustomize has it" in notice for notice in release.notices)
    assert taken(changed(files, TOP, ("namespace: lamp\n", ""))).components[0].spec["namespace"] == "inner"
    targeted = changed(files, BULB, ("spec:\n", "spec:\n  targetNamespace: own\n"))
    assert taken(targeted).components[0].spec["namespace"] == "own"


def test_a_chart_that_waits_for_another_app_says_so(taken: Taken) -> None:
    release = taken(bulb("  dependsOn:\n    - {name: ceph, namespace: rook}\n"))
    assert release.components[0].after == ()
    assert any("waits for the HelmRelease ceph" in notice for notice in release.notices)


def test_charts_that_are_off_by_default_are_off(taken: Taken) -> None:
    files = {**flux(), "metadata.yaml": NAMED["metadata.yaml"] + b"disabled_charts: [socket, gone]\n"}
    release = taken(files)
    assert [component.enabled for component in release.components] == [True, False]
    assert any("'gone' is none of the charts" in notice for notice in release.notices)


def test_the_same_that_means_nothing_is_told_once(taken: Taken) -> None:
    files = flux()
    for name in ("bulb", "socket"):
        path = f"fluxcd-manifests/{name}/helmrelease.yaml"
        files = changed(files, path, ("  install:\n", "  install:\n    disableWait: true\n"))
    [told] = [notice for notice in taken(files).notices if "waits until" in notice]
    assert "and at 1 more places" in told


def test_plugins_images_and_objects_beside_charts_are_told(taken: Taken) -> None:
    files = {
        **bulb(),
        "plugins/k8sapp_lamp-1.0-py3-none-any.whl": b"PK",
        "images/bulb.tar": b"x",
        "fluxcd-manifests/base/more.yaml": b"kind: ConfigMap\n",
        "fluxcd-manifests/bulb/helmrelease_cleanup.yaml": b"kind: HelmRelease\n",
    }
    told = "\n".join(taken(files).notices)
    for part in ("plugins of sysinv are not run", "not loaded", "not deployed: ConfigMap", "removed by every update"):
        assert part in told


# -- Armada -----------------------------------------------------------------------------------------------------------


def test_flux_is_taken_where_both_are_there(taken: Taken) -> None:
    release = taken({**bulb(), "manifest.yaml": armada()["manifest.yaml"]})
    assert [component.name for component in release.components] == ["bulb"]
    assert any("not this one of Armada" in notice for notice in release.notices)


def test_two_documents_of_one_chart_are_two_components(taken: Taken) -> None:
    files = {**NAMED, **armada({"all": (True, ("bulb", "socket"))})}
    pairs = ("chart_name: socket", "chart_name: bulb"), ("socket-1.0.0.tgz", "bulb-1.0.0.tgz")
    release = taken(changed(files, "manifest.yaml", *pairs))
    assert [component.name for component in release.components] == ["lamp-bulb", "lamp-socket"]


def test_without_hooks_at_both_there_are_none(taken: Taken) -> None:
    pair = ("no_hooks: false", "no_hooks: true")
    files = {**NAMED, **armada({"all": (True, ("bulb",))})}
    assert taken(changed(files, "manifest.yaml", pair, pair)).components[0].spec["hooks"] is False
    half = taken(changed(files, "manifest.yaml", pair))
    assert half.components[0].spec["hooks"] is True
    assert any("hooks run at both or at neither" in notice for notice in half.notices)


def test_what_no_group_deploys_is_told(taken: Taken) -> None:
    files = {**NAMED, **armada()}
    release = taken(changed(files, "manifest.yaml", ("chart_groups: [first, second]", "chart_groups: [first]")))
    assert [component.name for component in release.components] == ["bulb", "socket"]
    assert any("group second is deployed by no group" in notice for notice in release.notices)


def test_labels_of_no_label_are_refused_at_their_line(refused: Refused) -> None:
    files = {**NAMED, **armada({"all": (True, ("bulb",))})}
    wrong = changed(files, "manifest.yaml", ("            release_group: bulb\n", "            'not a label': bulb\n"))
    [(code, field)] = refused(wrong)
    assert (code, field.partition(":")[0]) == ("invalid_field", "manifest.yaml")


def test_what_does_not_fit_one_message_is_refused(refused: Refused) -> None:
    files = {**bulb(), STATIC: b"a: " + b"x" * 600_000 + b"\n"}
    assert ("file_too_large", "fluxcd-manifests/bulb/helmrelease.yaml:7:spec") in refused(files)


def test_a_chart_that_nothing_deploys_is_told(taken: Taken) -> None:
    assert any(
        "charts/spare-2.tgz" in n for n in taken({**bulb(), "charts/spare-2.tgz": chart("spare", "2.0.0")}).notices
    )
