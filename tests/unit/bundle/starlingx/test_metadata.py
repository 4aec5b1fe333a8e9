"""Each key of metadata.yaml has its meaning here, or is told with why it has none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog import domain
from shared.bundle.starlingx.findings import Findings
from shared.bundle.starlingx.metadata import MEANINGS, NO_MEANING, UNKNOWN, Metadata, read_metadata
from shared.messages.rules import Rules

BUNDLES = Path(domain.__file__).with_name("BUNDLES.md").read_text()


def read(text: str) -> tuple[Metadata, Findings]:
    findings = Findings()
    return read_metadata(text.encode(), findings), findings


def rules(text: str) -> Rules:
    metadata, findings = read(text)
    assert findings.faults == []
    return Rules.model_validate(metadata.rules)


def faults(text: str) -> list[tuple[str, str]]:
    return [(fault.code, fault.field) for fault in read(text)[1].faults]


@pytest.mark.parametrize(("key", "meaning"), [*MEANINGS.items(), *((k, f"none: {v}") for k, v in NO_MEANING.items())])
def test_the_table_of_keys_is_that_of_the_code(key: str, meaning: str) -> None:
    assert f"| `{key}` | {meaning} |" in BUNDLES


def test_every_key_with_a_meaning_has_it() -> None:
    text = """
supported_k8s_version: {minimum: v1.24.4, maximum: 1.29}
supported_releases: {'24.09': [P1, P2], '25.03': []}
patch_dependencies: [P0]
upgrades: {auto_update: yes, update_failure_no_rollback: 'True', from_versions: ['1\\.0-.*', 2.0]}
downgrades: {auto_downgrade: 1}
maintain_user_overrides: n
maintain_attributes: false
behavior:
  desired_state: uploaded
  forbidden_manual_operations: [remove, apply]
  evaluate_reapply:
    triggers: [{type: host-unlock, filters: [{personality: controller}, {site: true}]}]
class: storage
dependent_apps:
  - {name: rook-ceph, version: '1\\..*', action: apply}
  - [{name: a}, {name: b, action: warn}]
"""
    metadata, findings = read(text)
    assert (findings.faults, findings.notices()) == ([], ())
    assert metadata.upgrades_from == ("re:1\\.0-.*", "re:2.0")
    assert Rules.model_validate(metadata.rules).model_dump(mode="json", exclude_defaults=True) == {
        "importance": "storage",
        "recover": "never",
        "site": {
            "facts": {"kubernetes": ">=1.24.4,<=1.29"},
            "patches": ["P0"],
            "releases": {"24.09": ["P1", "P2"], "25.03": []},
        },
        "depends_on": [
            {"app": "rook-ceph", "versions": "re:1\\..*", "action": "apply"},
            {"any_of": [{"app": "a"}, {"app": "b", "action": "warn"}]},
        ],
        "keep_overrides": False,
        "keep_attributes": False,
        "behaviour": {
            "desired_state": "absent",
            "auto_update": True,
            "auto_downgrade": True,
            "reapply_on": [{"event": "host-unlock", "filters": {"personality": "controller", "site": "true"}}],
            "forbidden": ["remove", "apply"],
        },
    }


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        ("{type: host-availability-updated, filters: [{availability: services-enabled}]}", None),
        ("{type: unlock, filters: [{personality: controller}, {'label:tier': edge}]}", None),
        ("{type: kube-upgrade-complete, filters: [{fact: kubernetes}]}", None),
        ("{type: unlock, filters: [{personality: worker}]}", "metadata.yaml:2:behavior.evaluate_reapply.triggers[0]"),
        ("{type: unlock, filters: [{configure_required: true}]}", "configure_required: true never holds"),
        ("{type: host-availability-updated, filters: [{availability: offline}]}", "availability: offline never holds"),
        ("{type: swact, filters: [{personality: controller}]}", "'swact' is told by nobody but"),
    ],
)  # fmt: skip
def test_a_filter_that_never_holds_is_told_with_its_line(trigger: str, told: str | None) -> None:
    metadata, findings = read(f"behavior:\n  evaluate_reapply: {{triggers: [{trigger}]}}\n")
    assert len(Rules.model_validate(metadata.rules).behaviour.reapply_on) == 1
    assert [told in notice for notice in findings.notices() if told] == ([True] if told else [])
    assert bool(findings.notices()) == bool(told)


def test_keys_that_are_not_said_leave_belays_own_rules() -> None:
    assert rules("app_name: lamp\napp_version: '1'\n") == Rules()


def test_an_empty_list_of_versions_means_none_and_no_list_means_any() -> None:
    assert read("upgrades: {from_versions: []}")[0].upgrades_from == ()
    assert read("upgrades: {}")[0].upgrades_from is None


@pytest.mark.parametrize("key", NO_MEANING)
def test_every_key_without_a_meaning_is_told_with_why(key: str) -> None:
    values = {"k8s_upgrades": {"auto_update": True, "timing": "pre"}}
    *outer, last = key.split(".")
    value: object = values.get(key, "x" if last == "filter_field" else True)
    if "triggers" in outer:
        outer, value = outer[:-1], [{"type": "t", last: value}]
        last = "triggers"
    text: object = {last: value}
    for name in reversed(outer):
        text = {name: text}
    _, findings = read(json.dumps(text))
    assert any(NO_MEANING[key] in notice for notice in findings.notices()), findings.notices()


@pytest.mark.parametrize(
    "text",
    [
        "colour: red",
        "upgrades: {from_version: [x]}",
        "behavior: {mood: good}",
        "supported_k8s_version: {minimum: '1.2', best: 1}",
    ],
)
def test_a_key_that_nobody_knows_is_told_with_its_line(text: str) -> None:
    [notice] = read(f"# a comment\n{text}\n")[1].notices()
    assert notice.startswith("metadata.yaml:2:")
    assert UNKNOWN in notice


def test_a_version_without_quotes_is_taken_as_it_is_written() -> None:
    assert read("app_version: 1.10\n")[0].version == "1.10"


def test_every_fault_is_told_at_once_with_its_line() -> None:
    text = """app_name: [a]
upgrades:
  auto_update: perhaps
  from_versions: ['(a)\\1', 7, {}]
supported_k8s_version:
  maximum: newest
k8s_upgrades: {timing: later}
dependent_apps:
  - version: '['
  - [{name: a}]
  - 7
behavior: {forbidden_manual_operations: [dance], desired_state: asleep}
"""
    assert set(faults(text)) == {
        ("invalid_field", "metadata.yaml:1:app_name"),
        ("invalid_field", "metadata.yaml:3:upgrades.auto_update"),
        ("invalid_field", "metadata.yaml:4:upgrades.from_versions[0]"),
        ("invalid_field", "metadata.yaml:4:upgrades.from_versions[2]"),
        ("missing_field", "metadata.yaml:5:supported_k8s_version.minimum"),
        ("invalid_field", "metadata.yaml:6:supported_k8s_version.maximum"),
        ("invalid_field", "metadata.yaml:7:k8s_upgrades.timing"),
        ("missing_field", "metadata.yaml:7:k8s_upgrades.auto_update"),
        ("missing_field", "metadata.yaml:9:dependent_apps[0].name"),
        ("invalid_field", "metadata.yaml:10:dependent_apps[1]"),
        ("invalid_field", "metadata.yaml:11:dependent_apps[2]"),
        ("invalid_field", "metadata.yaml:12:behavior.forbidden_manual_operations[0]"),
        ("invalid_field", "metadata.yaml:12:behavior.desired_state"),
    }


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=3) | st.dictionaries(st.sampled_from([*(k.split(".")[-1] for k in (*MEANINGS, *NO_MEANING)), "x"]), s, max_size=4), max_leaves=12)  # fmt: skip  # noqa: E501


@given(st.dictionaries(st.sampled_from([k.split(".")[0] for k in (*MEANINGS, *NO_MEANING)]), JSON, max_size=6))
def test_whatever_stands_there_is_read_or_refused_and_never_breaks(said: dict[str, object]) -> None:
    read(json.dumps(said))
