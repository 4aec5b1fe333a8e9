"""Whatever stands in the manifests of a tarball, it is taken or refused with a reason; nothing breaks."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bundle.starlingx import read_application, text_files
from tests.support.starlingx import Files, armada, flux

JUNK: list[Any] = [
    *(None, True, 7, 1.5, -1, 10**30, "", "x", "../..", "\u202e", "1" * 300),
    *([], {}, ["a"], [None], {"a": 1}, [[{}]], {"name": None}, [{"name": []}], {"": {}}),
]
CHANGED = b"""
patchesStrategicMerge: [merge.yaml]
patches:
  - {target: {kind: HelmRelease, name: bulb}, path: operations.yaml}
  - patch: '{kind: HelmRelease, metadata: {name: bulb}, spec: {values: {a: 1.10}}}'
configMapGenerator:
  - {name: one, literals: [a=b], files: [merge.yaml]}
"""


def patched() -> Files:
    """With every kind of patch, and single values."""
    files, folder = flux(), "fluxcd-manifests/bulb"
    files[f"{folder}/kustomization.yaml"] += CHANGED
    files[f"{folder}/helmrelease.yaml"] += b"    - {kind: ConfigMap, name: one, valuesKey: a, targetPath: x.y}\n"
    merge = b"kind: HelmRelease\nmetadata: {name: bulb}\nspec: {timeout: null, values: {x: {y: [1]}}}\n"
    operations = b"- {op: add, path: /spec/values/z, value: {}}\n- {op: copy, from: /spec, path: /spec/values/z}\n"
    return {**files, f"{folder}/merge.yaml": merge, f"{folder}/operations.yaml": operations}


GOOD = (flux(), patched(), {"metadata.yaml": b"app_name: lamp\napp_version: '1'\n", **armada()})


def broken(value: Any, random: Random, share: float) -> Any:
    """The same with a share of its values exchanged for others, or gone."""
    if random.random() < share:
        return random.choice(JUNK)
    if isinstance(value, dict):
        return {key: broken(one, random, share) for key, one in value.items() if random.random() > share / 2}
    if isinstance(value, list):
        return [broken(one, random, share) for one in value if random.random() > share / 2]
    return value


def some_broken(files: Files, random: Random) -> Files:
    """Some of the YAML files, each in a few places or in many."""
    changed = dict(files)
    for name in (name for name in files if name.endswith(".yaml") and random.random() < 0.6):
        share = random.choice([0.01, 0.03, 0.1])
        documents = [broken(document, random, share) for document in yaml.safe_load_all(files[name])]
        changed[name] = yaml.safe_dump_all(documents, allow_unicode=True).encode()
    return changed


@settings(max_examples=100)
@given(st.randoms(use_true_random=False), st.sampled_from(GOOD))
def test_broken_manifests_are_taken_or_refused_with_a_reason(random: Random, good: Files) -> None:
    files = some_broken(good, random)
    sums = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    texts = {name: content for name, content in files.items() if text_files(name) is not None}
    found = read_application(texts, sums)
    assert (found.manifest is None) == bool(found.faults)
