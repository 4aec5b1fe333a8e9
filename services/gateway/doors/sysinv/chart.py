"""A component of a release as sysinv tells of a chart: values and attributes, level by level. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from services.gateway.resources.overrides.merged import defaults
from shared.safe_yaml import dumped
from shared.values.layers import Layer
from shared.values.merging import onto, over

NO_NAMESPACE = "default"
"""Of a component whose driver knows no namespaces."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A component, with what is set over it above the level of the door, and at it."""

    component: Mapping[str, Any]
    above: Sequence[Layer] = ()
    own: Layer = Layer()  # noqa: RUF009 - frozen

    @property
    def name(self) -> str:
        """The same as the component's."""
        return str(self.component["name"])

    @property
    def namespace(self) -> str:
        """Where it lies."""
        _, of_release, _ = defaults(self.component)
        named = [layer.namespace for layer in (*self.above, self.own) if layer.namespace]
        return named[-1] if named else of_release or NO_NAMESPACE

    @property
    def enabled(self) -> bool:
        """Whether it is deployed."""
        _, _, of_release = defaults(self.component)
        said = [layer.enabled for layer in (*self.above, self.own) if layer.enabled is not None]
        return said[-1] if said else of_release

    @property
    def system(self) -> dict[str, Any]:
        """What holds without what is set at the level of the door."""
        values, _, _ = defaults(self.component)
        return onto(values, reduce(over, (layer.values for layer in self.above), {}))

    @property
    def combined(self) -> dict[str, Any]:
        """All of it."""
        values, _, _ = defaults(self.component)
        return onto(values, reduce(over, (layer.values for layer in (*self.above, self.own)), {}))

    def changed(self, values: Mapping[str, Any], *, reuse: bool) -> dict[str, Any]:
        """What is set at the level of the door once these are."""
        return over(self.own.values, values) if reuse else dict(values)


def shown(chart: Chart) -> dict[str, Any]:
    """With all its overrides."""
    return {
        "name": chart.name,
        "namespace": chart.namespace,
        "attributes": as_yaml({"enabled": chart.enabled}),
        "system_overrides": as_yaml(chart.system),
        "user_overrides": as_yaml(chart.own.values),
        "combined_overrides": as_yaml(chart.combined),
    }


def listed(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """Each with its namespace."""
    return [
        {"name": chart.name, "enabled": [chart.enabled], "namespaces": [chart.namespace]}
        for chart in sorted(charts, key=lambda chart: chart.name)
    ]


def as_yaml(values: Mapping[str, Any]) -> str | None:
    """As text; null for nothing."""
    return dumped(dict(values)) if values else None
