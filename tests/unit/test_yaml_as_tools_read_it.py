"""YAML written for Helm and Flux means to us what it means to them, and never more than it may hold."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shared.safe_yaml import BadYaml, documents

SCALARS = {
    "y": True,
    "yes": True,
    "on": True,
    "n": False,
    "Off": False,
    "~": None,
    "0644": 420,
    "0o17": 15,
    "0b11": 3,
    "0x1F": 31,
    "1_000": 1000,
    "+12": 12,
    "-7": -7,
    "0899": 899.0,
    "12:30": "12:30",
    "1e3": 1000.0,
    ".5": 0.5,
    "1.": 1.0,
    "1.10": 1.1,
    "99999999999999999999": 1e20,
    "2024-01-01": "2024-01-01",
    "1.2.3": "1.2.3",
    "'yes'": "yes",
    "!!str 5": "5",
    '!!int "5"': 5,
}


BOMB = "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 8)}]\n" for old, new in ("ab", "bc", "cd", "de", "ef")
)


def values(text: str) -> object:
    [document] = documents(text.encode())
    return document.value


@pytest.mark.parametrize(("written", "meant"), SCALARS.items())
def test_a_scalar_means_what_helm_takes_it_for(written: str, meant: object) -> None:
    assert values(f"a: {written}") == {"a": meant}


def test_keys_are_texts_as_in_json() -> None:
    assert values("1: a\ntrue: b\nn: c\nd: e\n") == {"1": "a", "true": "b", "false": "c", "d": "e"}


@pytest.mark.kubernetes
def test_helm_itself_reads_them_so(tmp_path: Path, helm: Path) -> None:
    (tmp_path / "c/templates").mkdir(parents=True)
    (tmp_path / "c/Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
    (tmp_path / "c/templates/a.yaml").write_text("v: {{ toJson .Values }}\n")
    text = "".join(f"k{number}: {written}\n" for number, written in enumerate(SCALARS)) + "1: a\ntrue: b\nn: c\n"
    (tmp_path / "v.yaml").write_text(text)
    command = [str(helm), "template", "c", str(tmp_path / "c"), "--values", str(tmp_path / "v.yaml")]
    said = subprocess.run(command, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True).stdout
    assert json.loads(said.partition("\nv: ")[2]) == values(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: .inf", "no form in JSON"),
        ("a: !!binary aGk=", "tag"),
        ("a: !!set {x}", "tag"),
        ("a: 1\na: 2", "twice"),
        ("a: *b", "alias"),
        ("[" * 70, "nested deeper"),
        ("a: [" + "1," * 50_000 + "]", "more than 40000 values"),
        (BOMB, "more than 40000 values"),
        ("a: &a " + "x" * 100_000 + "\nb: [" + "*a," * 500 + "]", "more than 40000 values"),
        ("? {a: b}\n: c", "plain texts"),
    ],
)
def test_what_has_no_form_or_no_end_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(BadYaml, match=why) as refused:
        documents(text.encode())
    assert refused.value.line


def test_every_value_knows_its_line_and_what_is_not_there_that_of_its_place() -> None:
    [first, second] = documents(b"a:\n  - b: 1\n    c: 2\n---\nd: 3\n")
    assert first.line_of(("a", 0, "c")) == 3
    assert first.line_of(("a", 0, "x")) == 2
    assert second.line_of(("d",)) == 5
    assert first.texts == {("a", 0, "b"): "1", ("a", 0, "c"): "2"}
