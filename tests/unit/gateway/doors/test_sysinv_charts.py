"""A component as sysinv tells of a chart: what holds, level by level."""

from typing import Any

import pytest
import yaml

from services.gateway.doors.sysinv.chart import Chart, listed, shown
from shared.values.layers import Layer

WEB = {"name": "web", "driver": "simulated", "spec": {"values": {"replicas": 1, "image": {"tag": "1", "name": "web"}}}}
HELM = {"name": "db", "driver": "helm", "spec": {"namespace": "data", "chart": "db.tgz"}, "enabled": False}
FLEET, GROUP = Layer({"image": {"tag": "2"}}, None, None), Layer({"image": {"tag": "3"}, "debug": True}, False, None)
SITE = Layer({"image": {"tag": "4"}, "replicas": None}, True, None)


def read(text: str | None) -> Any:
    return yaml.safe_load(text) if text else None


def test_a_chart_without_overrides_shows_those_of_its_release() -> None:
    told = shown(Chart(WEB))
    assert (told["name"], told["namespace"], told["user_overrides"]) == ("web", "default", None)
    assert read(told["system_overrides"]) == read(told["combined_overrides"]) == WEB["spec"]["values"]  # type: ignore[index]
    assert told["attributes"] == "enabled: true\n"


def test_what_is_set_above_the_door_holds_without_it_and_what_is_set_at_it_goes_before() -> None:
    told = shown(Chart(WEB, (FLEET, GROUP), SITE))
    assert read(told["system_overrides"]) == {"replicas": 1, "image": {"tag": "3", "name": "web"}, "debug": True}
    assert read(told["user_overrides"]) == SITE.values
    assert read(told["combined_overrides"]) == {"image": {"tag": "4", "name": "web"}, "debug": True}
    assert read(told["attributes"]) == {"enabled": True}


def test_charts_are_listed_by_name_with_their_namespaces() -> None:
    assert listed([Chart(WEB, (GROUP,)), Chart(HELM), Chart(HELM | {"name": "x"}, (), Layer({}, True, "other"))]) == [
        {"name": "db", "enabled": [False], "namespaces": ["data"]},
        {"name": "web", "enabled": [False], "namespaces": ["default"]},
        {"name": "x", "enabled": [True], "namespaces": ["other"]},
    ]


@pytest.mark.parametrize(
    ("reuse", "wanted"), [(True, {"image": {"tag": "5"}, "replicas": None}), (False, {"image": {"tag": "5"}})]
)
def test_values_come_over_those_that_are_kept_or_in_their_place(reuse: bool, wanted: dict[str, Any]) -> None:
    assert Chart(WEB, (), SITE).changed({"image": {"tag": "5"}}, reuse=reuse) == wanted


def test_what_a_driver_of_another_version_brought_is_listed_all_the_same() -> None:
    assert shown(Chart({"name": "web", "driver": "stranger", "spec": {}}))["combined_overrides"] is None
