"""Strategies out of files and options."""

from pathlib import Path

import pytest

from services.cli.errors import CliError
from services.cli.spec import duration, merged, pairs, read_spec, stages
from shared.messages.strategy import StrategySpec

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_stage_is_written_in_one_word() -> None:
    assert stages(["canary:1::30s", "half:50%:10", "rest"]) == [
        {"name": "canary", "take": "1", "soak_seconds": 30},
        {"name": "half", "take": "50%", "max_parallel": "10"},
        {"name": "rest"},
    ]


def test_a_stage_names_groups_labels_and_sites_by_keys() -> None:
    edge = "edge:group=north,group=south,label=tier=edge,take=10%,soak=5m"
    assert stages([edge, "one:site=00:1B:44,max-parallel=1"]) == [
        {
            "name": "edge", "groups": ["north", "south"], "labels": {"tier": "edge"}, "take": "10%",
            "soak_seconds": 300,
        },
        {"name": "one", "sites": ["00:1B:44"], "max_parallel": "1"},
    ]  # fmt: skip
    with pytest.raises(CliError) as refused:
        stages(["a:grup=north,take=", "b:soak=soon,take=1"])
    assert [fault.value for fault in refused.value.faults] == ["a:grup=north,take="] * 2 + ["b:soak=soon,take=1"]


def test_every_stage_that_cannot_be_read_is_named() -> None:
    with pytest.raises(CliError) as refused:
        stages(["a:1:2:soon", "b", "c:1:2:3:4"])
    assert [fault.value for fault in refused.value.faults] == ["a:1:2:soon", "c:1:2:3:4"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("-1", None), ("5 m", None)],
)
def test_a_duration_has_a_unit_or_is_seconds(text: str, seconds: int | None) -> None:
    assert duration(text) == seconds


def test_options_win_over_the_file_key_by_key() -> None:
    file = {"name": "a", "max_parallel": 4, "selection": {"groups": ["north"], "all": False}, "stages": [{"name": "x"}]}
    options = {"name": None, "max_parallel": "20%", "selection": {"groups": [], "sites": ["oslo"]}, "stages": []}
    assert merged(file, options) == {
        "name": "a",
        "max_parallel": "20%",
        "selection": {"groups": ["north"], "all": False, "sites": ["oslo"]},
        "stages": [{"name": "x"}],
    }


def test_labels_must_be_pairs_and_all_that_are_not_are_named() -> None:
    assert pairs(["region=north", "a=b=c"], "--select") == {"region": "north", "a": "b=c"}
    with pytest.raises(CliError) as refused:
        pairs(["region", "x=1", "=y"], "--select")
    assert [fault.value for fault in refused.value.faults] == ["region", "=y"]


def test_a_file_that_is_no_strategy_is_refused(tmp_path: Path) -> None:
    for content in ("- a", "a: [", "&x a: *x", ""):
        file = tmp_path / "s.yaml"
        file.write_text(content)
        with pytest.raises(CliError):
            read_spec(file)


@pytest.mark.parametrize("file", sorted((EXAMPLES / "demo").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_strategies_of_the_demo_are_right_and_name_releases_that_there_are(file: Path) -> None:
    if file.stem == "sites":
        return
    spec = StrategySpec.model_validate(read_spec(file))
    versions = {read_spec(bundle)["version"] for bundle in (EXAMPLES / "datasette").glob("*/bundle.yaml")}
    assert spec.version in versions
