"""The same text means the same values wherever a person puts it: in a bundle, an override file, or a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.cli.value_files import read_values
from services.gateway.doors.sysinv import chart_request
from shared.bundle.manifests import manifest_of
from shared.safe_yaml import dumped, load
from shared.values.files import values_in

TEXTS: dict[str, dict[str, Any]] = {
    "ports: [22:22, 12:30]": {"ports": ["22:22", "12:30"]},
    "size: 1e3": {"size": 1000.0},
    "since: 2024-01-01": {"since": "2024-01-01"},
    "at: 2024-01-01T10:00:00Z": {"at": "2024-01-01T10:00:00Z"},
    "mode: 0644": {"mode": 420},
    "mode: 0o17": {"mode": 15},
    "on: yes": {"true": True},
    "1: one": {"1": "one"},
    "tag: 1.10": {"tag": 1.1},
    "tag: '1.10'": {"tag": "1.10"},
    "nothing: ~": {"nothing": None},
}


def of_a_door(text: str) -> Any:
    flags = dict.fromkeys(("reuse_values", "reset_values", "reapply", "reapply_all"), False)
    body = {"attributes": {}, "flags": flags, "values": {"files": [text], "set": []}}
    asked, faults = chart_request.read(body)
    assert faults == []
    return asked.values


def inline(text: str) -> Any:
    spec = f"{{chart: c.tgz, namespace: shop, values: {{{text}}}}}"
    manifest = f"app: a\nversion: '1'\ncomponents: [{{driver: helm, name: web, spec: {spec}}}]\n"
    return manifest_of(manifest.encode()).components[0].spec["values"]


@pytest.mark.parametrize(("text", "meant"), TEXTS.items())
def test_a_text_means_the_same_values_everywhere(text: str, meant: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text(text)
    assert values_in(text.encode()) == meant, "values_files of a bundle"
    assert read_values(tmp_path / "v.yaml") == meant, "belay overrides set --file"
    assert of_a_door(text) == meant, "the door of sysinv"
    assert inline(text) == meant, "values in bundle.yaml"


def test_anchors_are_taken_in_files_of_values(tmp_path: Path) -> None:
    text = "a: &a {b: 1}\nc: {<<: *a, d: 2}\n"
    (tmp_path / "v.yaml").write_text(text)
    meant = {"a": {"b": 1}, "c": {"b": 1, "d": 2}}
    assert values_in(text.encode()) == read_values(tmp_path / "v.yaml") == of_a_door(text) == meant


def test_what_is_shown_as_yaml_is_read_again_as_what_it_is() -> None:
    values = {"a": "1e3", "b": "12:30", "c": "0o17", "d": ".inf", "e": "yes", "f": 1e3, "g": "plain", "h": [None, True]}
    assert load(dumped(values).encode()) == values
    assert "plain\n" in dumped(values)
