"""A component of a release as sysinv tells of a chart: values and attributes, level by level. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from shared.components import specs
from shared.values.merging import onto, over

NO_NAMESPACE = "default"
"""Of a component whose driver knows no namespaces."""


class Layer(NamedTuple):
    """What is set for a component at one level."""

    values: Mapping[str, Any]
    enabled: bool | None
    namespace: str | None


NOTHING = Layer({}, None, None)


@dataclass(frozen=True, slots=True)
class Chart:
    """A component, with what is set over it above the level of the door, and at it."""

    component: Mapping[str, Any]
    above: Sequence[Layer] = ()
    own: Layer = NOTHING

    @property
    def name(self) -> str:
        """The same as the component's."""
        return str(self.component["name"])

    @property
    def namespace(self) -> str:
        """Where it lies."""
        named = [layer.namespace for layer in (*self.above, self.own) if layer.namespace]
        field = _field(self.component, "namespace_field")
        return named[-1] if named else str((field and self.component["spec"].get(field)) or NO_NAMESPACE)

    @property
    def enabled(self) -> bool:
        """Whether it is deployed."""
        said = [layer.enabled for layer in (*self.above, self.own) if layer.enabled is not None]
        return said[-1] if said else bool(self.component.get("enabled", True))

    @property
    def system(self) -> dict[str, Any]:
        """What holds without what is set at the level of the door."""
        field = _field(self.component, "values_field")
        values = dict((field and self.component["spec"].get(field)) or {})
        for layer in self.above:
            values = onto(values, layer.values)
        return values

    @property
    def combined(self) -> dict[str, Any]:
        """All of it."""
        return onto(self.system, self.own.values)

    def changed(self, values: Mapping[str, Any], *, reuse: bool) -> dict[str, Any]:
        """What is set at the level of the door once these are."""
        return over(self.own.values, values) if reuse else dict(values)


def _field(component: Mapping[str, Any], which: str) -> str | None:
    """The field of the spec that its driver says; None for a driver that is not installed here."""
    return getattr(specs().get(component["driver"]), which, None)


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
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True) if values else None
