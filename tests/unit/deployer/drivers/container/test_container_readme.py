"""The README of the driver says what its code does."""

import re
from pathlib import Path

import services.deployer.drivers.container as package
from services.deployer.drivers.container import faults
from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.pulls.refusals import code_of_pull
from shared.components.container import ContainerSpec

FOLDER = Path(package.__file__).parent
README = (FOLDER / "README.md").read_text()


def test_every_code_is_in_the_table_and_every_code_there_is_used() -> None:
    rows = [row for row in README.splitlines() if row.startswith("| `") and row.count("|") == 4]
    told = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    files = [*FOLDER.glob("*.py"), *(p for name in ("durable", "pulls") for p in (FOLDER.parent / name).glob("*.py"))]
    sources = "".join(file.read_text() for file in files)
    said = {*re.findall(r'(?:Failed|Broken)\(\s*"(\w+)"', sources), *(code for code, _ in faults.CODES)}
    assert said - told == {"not_started", "superseded", "secret_in_revision"}  # every driver's
    assert [code for code in told if f'"{code}"' not in sources and code in said] == []
    codes = {
        row.split("`")[1] for row in rows if row.rstrip().endswith(("before |", "ended |", "restart |", "message |"))
    }
    assert [code for code in codes if f'"{code}"' not in sources] == []


def test_every_setting_is_there_with_its_default() -> None:
    for name, field in ContainerSettings.model_fields.items():
        default = f"{field.default:g}"
        assert f"| `BELAY_CONTAINER_{name.upper()}` | {default} |" in README


def test_every_field_of_a_component_is_told() -> None:
    component = README.partition("## Connection")[0]
    assert [name for name in ContainerSpec.model_fields if f"`{name}`" not in component] == []


def test_words_of_engines_lead_to_codes() -> None:
    said = {
        "manifest unknown": "no_such_image",
        'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused': "registry_unreachable",
        "unauthorized: authentication required": "registry_refused",
        "write /var/tmp/x: no space left on device": "disk_full",
        "no image found in manifest list for architecture arm64": "wrong_platform",
        "something else": "pull_failed",
    }
    assert {words: code_of_pull(words) for words in said} == said
    assert faults.code_of_engine("listen tcp4 127.0.0.1:80: bind: address already in use") == "port_taken"
    assert faults.code_of_engine("driver failed: Bind for 0.0.0.0:80 failed: port is already allocated") == "port_taken"
    assert faults.code_of_engine("whatever") == "engine_refused"
    assert faults.passes("the network could not be made: route ip+net: no such network interface")
    assert faults.passes("the containers could not be listed: network inspection mismatch: asked to join 2 network(s)")
    assert not faults.passes("whatever")
