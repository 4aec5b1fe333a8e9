"""`belay overrides`: what is sent for files and options, and how what is set is shown."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

ONE = "/v1/apps/shop/overrides/web"


@pytest.fixture(autouse=True)
def _taken(gateway: Stub) -> None:
    for path in (ONE, f"{ONE}/restore", f"{ONE}/clear", "/v1/operations"):
        gateway.accept(f"POST {path}", nth=3, changed=True)


def sent(gateway: Stub) -> Any:
    return gateway.asked[-1].body


def test_files_come_first_in_their_order_then_what_is_set_and_then_texts(
    gateway: Stub, belay: Belay, tmp_path: Path
) -> None:
    for name, text in (("a", "image: {tag: '1', pull: always}\nhosts: [a]"), ("b", "image: {tag: '2'}\nport: 1")):
        (tmp_path / f"{name}.yaml").write_text(text)
    files = ("-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml"))
    sets = ("--set", r"hosts={x\,y,z},image.tag=3", "--set", "list[1].a=1", "--set-string", "port=80")
    done = belay("overrides", "set", "shop", "web", "--group", "north", *files, *sets, "--unset", "old", "--off")
    assert done.exit_code == 0, done.output
    assert sent(gateway) == {
        "level": "group", "target": "north", "unset": ["old"], "enabled": False,
        "values": {
            "image": {"tag": 3, "pull": "always"}, "hosts": ["x,y", "z"], "port": "80", "list": [None, {"a": 1}],
        },
    }  # fmt: skip
    assert "change 3 of the group north" in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of --site, --group and --fleet"),
        (("--site", "oslo", "--fleet"), "one of --site, --group and --fleet"),
        (("--fleet", "--set", "a"), "has no value"),
        (("--fleet", "--set", "a={b", "--set-string", "=1"), "ends with '}'"),
        (("--fleet", "-f", "{folder}/none.yaml"), "No such file"),
        (("--fleet", "-f", "{folder}/bad.yaml"), "cannot be read as values"),
        (("--fleet", "-f", "{folder}/list.yaml"), "must be a mapping"),
        (("--fleet", "-f", "{folder}/big.yaml"), "256 KiB"),
        (("--fleet", "-f", "{folder}/bomb.yaml"), "cannot be read as values"),
        (("--fleet", "-f", "{folder}/object.yaml"), "cannot be read as values"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    gateway: Stub, belay: Belay, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    files = {
        "bad": "a: [", "list": "- a", "big": "a: " + "b" * 300_000,
        "bomb": "a: &a [" + "1," * 300 + "]\nb: [" + "*a," * 300 + "]",
        "object": "a: !!python/object:os.system {}",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    refused = belay("overrides", "set", "shop", "web", *(each.replace("{folder}", str(tmp_path)) for each in options))
    assert refused.exit_code == 2
    assert said in refused.output
    assert gateway.asked == []


def test_a_former_change_is_restored_and_a_level_cleared_where_it_is_said(gateway: Stub, belay: Belay) -> None:
    assert belay("overrides", "restore", "shop", "web", "2", "--site", "oslo", "--expect", "4").exit_code == 0
    assert sent(gateway) == {"level": "site", "target": "oslo", "nth": 2, "expected_nth": 4}
    assert belay("overrides", "clear", "shop", "web", "--fleet", "--reason", "done").exit_code == 0
    assert sent(gateway) == {"level": "fleet", "reason": "done"}


def test_merged_values_are_shown_with_where_each_came_from(gateway: Stub, belay: Belay) -> None:
    merged = {
        "app": "shop", "component": "web", "version": "2.0", "release_values": {}, "levels": [], "enabled": True,
        "namespace": None, "values": {"image": {"tag": "2"}, "x.y": None},
        "origins": {"image.tag": "group", r"x\.y": "fleet"},
    }  # fmt: skip
    gateway.answers[f"GET {ONE}"] = 200, merged
    shown = belay("overrides", "show", "shop", "web", "--site", "oslo")
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.output.splitlines()]
    assert ["image.tag", '"2"', "group"] in rows
    assert [r"x\.y", "null", "fleet"] in rows


def test_a_reapply_is_an_apply_of_what_has_changed(gateway: Stub, belay: Belay) -> None:
    assert belay("deployment", "reapply", "oslo", "shop").exit_code == 0
    assert sent(gateway) == {"site": "oslo", "app": "shop", "kind": "apply", "only_changes": True}
    options = ("--version", "2.0", "--reset-overrides", "--no-reset-attributes")
    assert belay("operation", "run", "oslo", "shop", "update", *options).exit_code == 0
    assert sent(gateway)["reset_overrides"] is True
    assert sent(gateway)["reset_attributes"] is False
