"""By what rules a release is deployed: what bundle.yaml says of it, and every fault at its place."""

import json
from typing import Any

import pytest

from shared.bundle import BundleRefused, manifest_of
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import Alternatives, Dependency, Rules
from tests.support.bundles import unnumbered

LAMP = {"driver": "simulated", "name": "lamp"}


def content(**more: Any) -> bytes:
    return json.dumps({"app": "house", "version": "1.0", "components": [LAMP], **more}).encode()


def faults(**more: Any) -> list[tuple[str, str]]:
    with pytest.raises(BundleRefused) as refused:
        manifest_of(content(**more))
    return [(fault.code, unnumbered(fault.field).removeprefix("bundle.yaml:")) for fault in refused.value.faults]


def test_a_bundle_that_says_nothing_of_rules_has_those_of_everybody() -> None:
    assert manifest_of(content()).rules == Rules()


def test_the_keys_of_the_rules_stand_at_the_top_of_bundle_yaml() -> None:
    either = {"any_of": [{"app": "ceph"}, {"app": "rook", "versions": ">=1.2"}]}
    rules = manifest_of(
        content(
            importance="critical",
            recover="never",
            timeout_seconds=60,
            site={"facts": {"kubernetes": ">=1.24,<1.31", "platform_release": "24.09"}, "patches": ["P1"]},
            depends_on=[{"app": "cert-manager", "action": "apply"}, either],
            obsolete={"lamp": ["old.key"]},
            keep_overrides=False,
            behaviour={"reapply_on": [{"event": "host-unlock"}], "forbidden": ["remove"]},
        )
    ).rules
    assert rules.depends_on == (
        Dependency(app="cert-manager", action="apply"),
        Alternatives(any_of=(Dependency(app="ceph"), Dependency(app="rook", versions=">=1.2"))),
    )
    assert (rules.importance, rules.recover, rules.timeout_seconds, rules.keep_overrides) == (
        "critical",
        "never",
        60,
        False,
    )
    assert rules.obsolete == {"lamp": ("old.key",)}


def test_every_fault_of_the_rules_is_named_at_once_where_it_stands() -> None:
    assert faults(
        importance="urgent",
        recover="perhaps",
        timeout_seconds=0,
        site={"facts": {"kubernetes": ">=1.24,"}},
        depends_on=[{"app": "x", "versions": "newest"}, {"any_of": [{"app": "x"}]}, {"action": "warn"}],
        excludes=[{"app": "x", "action": "explode"}],
        obsolete={"lamp": [".a", "a[b", "hosts[0].name", "a\\.b.c"]},
        behaviour={"desired_state": "perfect", "forbidden": ["dance"]},
    ) == [
        ("invalid_field", "importance"),
        ("invalid_field", "recover"),
        ("invalid_field", "timeout_seconds"),
        ("invalid_field", "site.facts.kubernetes"),
        ("invalid_field", "depends_on[0].versions"),
        ("invalid_field", "depends_on[1].any_of"),
        ("missing_field", "depends_on[2].app"),
        ("invalid_field", "excludes[0].action"),
        *(("invalid_field", f"obsolete.lamp[{n}]") for n in range(3)),
        ("invalid_field", "behaviour.desired_state"),
        ("invalid_field", "behaviour.forbidden[0]"),
    ]


def test_a_component_may_be_off_and_have_a_time_of_its_own() -> None:
    [lamp] = manifest_of(content(components=[{**LAMP, "spec": {}, "enabled": False, "timeout_seconds": 9}])).components
    assert (lamp.enabled, lamp.timeout_seconds) == (False, 9)


def test_words_of_tomorrow_are_kept_when_an_event_says_them() -> None:
    said = {
        "importance": "sacred",
        "behaviour": {"forbidden": ["rehearse-twice"]},
        "excludes": [{"app": "x", "action": "ask"}],
    }
    rules = Rules.model_validate({**said, "colour": "red"}, extra="ignore", context=IN_AN_EVENT)
    assert (rules.importance, rules.behaviour.forbidden, rules.excludes[0].action) == (
        "sacred",
        ("rehearse-twice",),
        "ask",
    )
    assert json.loads(rules.model_dump_json(exclude_defaults=True)) == said
