"""A chart as either generation of manifests says how it is deployed, and the component of Belay that it becomes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from shared import components
from shared.components.order import cycle_in
from shared.messages.base import details_of, fault_in
from shared.messages.manifest import MOST_COMPONENTS, Component

from .findings import Findings

FOLDER = "charts/"


@dataclass(frozen=True, slots=True)
class Chart:
    """What is deployed, where, and after what."""

    name: str
    """Of the component: as StarlingX names the chart in its overrides."""
    place: str
    """File and line where it is said, for people."""
    spec: Mapping[str, Any]
    """Of the driver helm."""
    after: tuple[str, ...] = ()
    seconds: int | None = None
    aliases: frozenset[str] = frozenset()
    """Other names that metadata may mean it by."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where the fields of the spec stand in its own file, as far as they do."""


def components_of(
    charts: Sequence[Chart], off: Iterable[tuple[str, str]], files: set[str], findings: Findings
) -> list[Component]:
    """The components of a release, in the order of the manifest; `off`: names of charts that are off, with places."""
    _check_names(charts, findings)
    disabled = _disabled(charts, off, findings)
    found = []
    for chart in charts:
        spec = _spec(chart, files, findings)
        if spec is not None:
            found += _component(chart, spec, chart.name not in disabled, findings)
    if cycle := cycle_in({chart.name: chart.after for chart in charts}):
        findings.blame("components_in_a_cycle", charts[0].place, f"these charts wait for each other: {_way(cycle)}")
    return found


def _component(chart: Chart, spec: dict[str, Any], enabled: bool, findings: Findings) -> list[Component]:
    said = {"driver": "helm", "name": chart.name, "enabled": enabled, "timeout_seconds": chart.seconds, "spec": spec}
    try:
        return [Component.model_validate({**said, "after": tuple(dict.fromkeys(chart.after))})]
    except ValidationError as error:
        for detail in details_of(error):
            told = fault_in(detail)
            findings.blame(told.code, chart.place, f"{told.field}: {told.message}", told.value)
        return []


def _way(cycle: Sequence[str]) -> str:
    return " after ".join(cycle)


def _check_names(charts: Sequence[Chart], findings: Findings) -> None:
    if len(charts) > MOST_COMPONENTS:
        findings.blame("too_many_components", charts[MOST_COMPONENTS].place, f"at most {MOST_COMPONENTS} charts")
    seen: dict[str, str] = {}
    releases: dict[tuple[Any, Any], str] = {}
    for chart in charts:
        if chart.name in seen:
            findings.blame("duplicate_name", chart.place, f"{chart.name} is deployed already at {seen[chart.name]}")
        seen[chart.name] = chart.place
        release = chart.spec.get("namespace"), chart.spec.get("release")
        if release in releases:
            where = f"{release[1]} in {release[0]}"
            findings.blame(
                "duplicate_release", chart.place, f"the release {where} stands already at {releases[release]}"
            )
        releases[release] = chart.place


def _disabled(charts: Sequence[Chart], off: Iterable[tuple[str, str]], findings: Findings) -> set[str]:
    found = set()
    for name, place in off:
        meant = {chart.name for chart in charts if name in (chart.name, *chart.aliases)}
        if not meant:
            findings.note(f"'{name}' is none of the charts of this tarball, so it is not switched off", place)
        found |= meant
    return found


def _spec(chart: Chart, files: set[str], findings: Findings) -> dict[str, Any] | None:
    """As the driver takes it, with every default."""
    try:
        return components.read("helm", chart.spec, files).model_dump(mode="json")
    except components.UnknownDriver as unknown:
        findings.blame("unknown_driver", chart.place, str(unknown))
    except ValidationError as error:
        for detail in details_of(error):
            told = fault_in(detail)
            code = "missing_file" if detail["type"] == "missing_file" else told.code
            first = str(detail["loc"][0]) if detail["loc"] else ""
            findings.blame(code, chart.places.get(first, chart.place), f"{told.field}: {told.message}", told.value)
    return None


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over each other, as Helm does: mappings are merged, anything else of a later layer wins."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(below, dict) and isinstance(value, Mapping)
            result[key] = merged(below or {}, value) if both else value
    return result
