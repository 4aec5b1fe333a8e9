"""Patches of a kustomization are carried out as kustomize does, single values are put where Flux puts them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from shared.bundle.starlingx import Application, read_application, text_files
from tests.support.starlingx import Files, flux

ROOT = "fluxcd-manifests"
TOP, OWN = f"{ROOT}/kustomization.yaml", f"{ROOT}/bulb/kustomization.yaml"


def read(files: Files) -> Application:
    sums = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    return read_application({n: c for n, c in files.items() if text_files(n) is not None}, sums)


def with_more(file: str, more: str, **others: str) -> Files:
    """The usual application, with more at the end of a file, and further files beside the chart's release."""
    files = flux(charts={"bulb": ""})
    files[file] += more.encode()
    return {**files, **{f"{ROOT}/bulb/{name.replace('_', '-')}.yaml": text.encode() for name, text in others.items()}}


def spec_of(files: Files) -> dict[str, Any]:
    found = read(files)
    assert found.faults == ()
    return dict(found.components[0].spec)


def faults_of(files: Files) -> list[tuple[str, str]]:
    return [(fault.code, fault.field) for fault in read(files).faults]


MERGE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: bulb}
spec:
  releaseName: other
  timeout: null
  values: {replicas: 3, image: {tag: 1.10}, list: [b]}
"""


def test_a_strategic_merge_merges_mappings_takes_nulls_away_and_replaces_lists() -> None:
    """Worked by hand: 2 of the static overrides is under the 3, the list is replaced, the timeout of 30m is gone."""
    files = with_more(OWN, "patchesStrategicMerge: [merge.yaml]\n", merge=MERGE)
    first = files[f"{ROOT}/bulb/helmrelease.yaml"] + b"  values: {list: [a, c], keep: true}\n"
    spec = spec_of({**files, f"{ROOT}/bulb/helmrelease.yaml": first})
    assert spec["values"] == {"replicas": 3, "image": {"tag": 1.1}, "list": ["b"], "keep": True}
    assert (spec["release"], spec["helm_seconds"]) == ("other", 300)


def test_operations_are_carried_out_in_order_and_by_target() -> None:
    patches = """\
patches:
  - target: {kind: HelmRelease, name: bu.*}
    patch: |-
      - {op: add, path: /spec/values, value: {lamps: [a]}}
      - {op: add, path: /spec/values/lamps/-, value: b}
      - {op: replace, path: /spec/releaseName, value: third}
  - target: {kind: HelmRelease, name: socket}
    patch: |-
      - {op: remove, path: /spec}
"""
    found = read(with_more(OWN, patches))
    assert found.faults == ()
    spec = found.components[0].spec
    assert (spec["release"], spec["values"]) == ("third", {"replicas": 2, "image": {"tag": "2"}, "lamps": ["a", "b"]})
    assert [notice for notice in found.notices if "is for no HelmRelease" in notice]


def test_the_top_patches_what_the_folder_has_patched_and_kinds_of_patches_have_their_order() -> None:
    own = "patchesJson6902:\n  - target: {kind: HelmRelease, name: bulb, group: helm.toolkit.fluxcd.io, version: v2}\n"
    own += "    path: operations.yaml\npatches:\n  - patch: |-\n      " + MERGE.replace("\n", "\n      ") + "\n"
    operations = "- {op: test, path: /spec/releaseName, value: other}\n- {op: remove, path: /spec/values/list}\n"
    files = with_more(OWN, own, operations=operations)
    top = (
        "patches:\n  - target: {kind: HelmRelease}\n    patch: '[{op: replace, path: /spec/releaseName, value: top}]'\n"
    )
    spec = spec_of({**files, TOP: files[TOP] + top.encode()})
    assert (spec["release"], spec["values"]) == ("top", {"replicas": 3, "image": {"tag": 1.1}})


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ("patchesStrategicMerge: [gone.yaml]", "missing_file"),
        ("patchesStrategicMerge: [../../metadata.yaml]", "missing_file"),
        ("patches: [{target: {kind: HelmRelease}, patch: '[{op: remove, path: /spec/gone}]'}]", "bad_patch"),
        ("patches: [{target: {kind: HelmRelease}, patch: '[{op: fly, path: /spec}]'}]", "bad_patch"),
        ("patches: [{target: {kind: HelmRelease}, patch: '[7]'}]", "bad_patch"),
        ("patches: [{target: {kind: HelmRelease}, patch: '{spec: {$patch: delete}}'}]", "bad_patch"),
        ("patches: [{target: {kind: HelmRelease}, patch: '{metadata: {name: other}}'}]", "bad_patch"),
        ("patches: [{target: {kind: HelmRelease}, patch: '{'}]", "bad_yaml"),
        ("patches: [{target: {labelSelector: a=b}, patch: '[]'}]", "unsupported_key"),
        ("patches: [{target: {kind: '(?=a)'}, patch: '[]'}]", "invalid_field"),
        ("patches: [{options: {allowNameChange: true}, patch: '{}'}]", "unsupported_key"),
        ("patches: [{target: {kind: HelmRelease}}]", "missing_field"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_where_it_stands(patch: str, code: str) -> None:
    [(found, place)] = faults_of(with_more(OWN, patch + "\n"))
    assert found == code
    assert place.startswith(f"{OWN}:{len(flux(charts={'bulb': ''})[OWN].splitlines()) + 1}:")


def test_operations_that_double_a_release_again_and_again_are_stopped() -> None:
    copies = ", ".join(f"{{op: copy, from: /spec, path: /spec/c{n}}}" for n in range(40))
    patch = f"patches: [{{target: {{kind: HelmRelease}}, patch: '[{copies}]'}}]\n"
    assert [code for code, _ in faults_of(with_more(OWN, patch))] == ["bad_patch"]


SOURCE = "    - {{kind: ConfigMap, name: one, valuesKey: {key}, targetPath: '{path}'}}\n"
LITERALS = """\
configMapGenerator:
  - name: one
    literals:
      - tag="2.0"
      - count=7
      - flag=TRUE
      - none=null
      - open=a,b
      - word="'a,b'"
      - 'keys={image: {tag: new}, more: 1}'
    files: [key=single.yaml]
"""


def with_sources(*pairs: tuple[str, str]) -> Files:
    files = with_more(OWN, LITERALS, single="from a file")
    more = "".join(SOURCE.format(key=key, path=path) for key, path in pairs)
    return {**files, f"{ROOT}/bulb/helmrelease.yaml": files[f"{ROOT}/bulb/helmrelease.yaml"] + more.encode()}


def test_single_values_are_put_at_their_paths_as_helm_reads_them() -> None:
    pairs = [("tag", "image.tag"), ("count", "a.b.count"), ("flag", "a.flag"), ("none", "a.none"), ("word", "a.word")]
    values = spec_of(with_sources(*pairs, ("key", "text")))["values"]
    inner = {"b": {"count": 7}, "flag": True, "none": None, "word": "a,b"}
    assert values == {"replicas": 2, "image": {"tag": "2.0"}, "text": "from a file", "a": inner}


def test_a_literal_may_hold_all_values() -> None:
    files = with_sources(("keys", "gone"))
    release = f"{ROOT}/bulb/helmrelease.yaml"
    files[release] = files[release].replace(b", targetPath: 'gone'", b"")
    assert spec_of(files)["values"] == {"replicas": 2, "image": {"tag": "new"}, "more": 1}


@pytest.mark.parametrize(
    ("key", "path", "code"),
    [
        ("tag", "list[0]", "unsupported_key"),
        ("tag", "a\\\\.b", "unsupported_key"),
        ("tag", "replicas.inner", "bad_values"),
        ("open", "a", "bad_values"),
    ],
)
def test_a_single_value_that_cannot_be_put_is_refused(key: str, path: str, code: str) -> None:
    [(found, place)] = faults_of(with_sources((key, path)))
    assert found == code
    assert place.startswith(f"{ROOT}/bulb/helmrelease.yaml:")
