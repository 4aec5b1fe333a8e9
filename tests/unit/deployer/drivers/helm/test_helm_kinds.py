"""Kinds that helm misses, that a chart brings, and what it renders without a cluster."""

from services.deployer.drivers.helm import kinds, manifest
from services.deployer.drivers.helm.kinds import Kind

REFUSED = (
    'Error: unable to build kubernetes objects from release manifest: [resource mapping not found for name: "hall" '
    'namespace: "" from "": no matches for kind "Lamp" in version "example.com/v1"\nensure CRDs are installed first, '
    'resource mapping not found for name: "b" namespace: "" from "": no matches for kind "Bulb" in version '
    '"example.com/v2"\nensure CRDs are installed first]'
)
LAMP, BULB = Kind("example.com/v1", "Lamp"), Kind("example.com/v2", "Bulb")


def test_every_kind_that_helm_misses_is_read_from_its_words() -> None:
    assert kinds.unknown(REFUSED) == {LAMP, BULB}
    assert kinds.unknown("Error: something else") == frozenset()


def test_definitions_bring_their_kind_in_each_version() -> None:
    one = "{spec: {group: example.com, names: {kind: Lamp}, versions: [{name: v1}, {name: v2}]}}"
    assert kinds.defined(f"{one}\n---\n{{}}\n") == {LAMP, Kind("example.com/v2", "Lamp")}
    assert kinds.defined("") == frozenset()


def test_templates_may_ask_for_what_is_served_and_what_will_be() -> None:
    groups = {"groups": [{"versions": [{"groupVersion": "apps/v1"}]}, {"versions": None}]}
    assert kinds.api_versions(groups, [LAMP]) == ["apps/v1", "example.com/v1", "example.com/v1/Lamp"]


def test_hooks_are_told_from_the_manifest_by_their_annotation() -> None:
    text = """
kind: ConfigMap
metadata: {name: a, annotations: null}
---
kind: Job
metadata: {name: b, annotations: {helm.sh/hook: "pre-install, post-upgrade"}}
---
"""
    release = kinds.as_release(text)
    assert [each["kind"] for each in manifest.objects(release["manifest"])] == ["ConfigMap"]
    [hook] = release["hooks"]
    assert hook["events"] == ["pre-install", "post-upgrade"]
    assert manifest.objects(hook["manifest"])[0]["metadata"]["name"] == "b"
