"""What people set, put into the spec of a component as its driver takes it. Pure: models are read, no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from shared import components
from shared.messages.base import Fault, faults_of
from shared.messages.manifest import Component
from shared.values.layers import Layer
from shared.values.merging import filled, onto, secrets_in
from shared.values.paths import BadPath, Path, parsed, taken_away, written

CODE = "overrides_invalid"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A component with what is set for it."""

    spec: components.Spec
    """As the driver takes it; a secret's place is held by its name."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """All of its values together, secrets by name."""
    sealed: Mapping[str, Any] | None = None
    """The spec with references to secrets; None = it names none."""
    notices: tuple[str, ...] = ()


def fitted(component: Component, layer: Layer, obsolete: Sequence[str] = ()) -> Fitted | list[Fault]:
    """The component with what is set for it, or everything that is wrong with that.

    Keys that the release calls obsolete are left out, with a notice each.

    Raises shared.components.UnknownDriver; and pydantic's ValidationError where the release itself cannot be read.
    """
    model = components.specs().get(component.driver)
    if model is None:
        raise components.UnknownDriver(component.driver)
    if layer.empty:
        return Fitted(components.read(component.driver, component.spec), values_of(model, component.spec))
    kept, notices = _without_obsolete(dict(layer.values), obsolete)
    faults = [*_not_taken(component, model, kept, layer)]
    if faults:
        return faults
    spec = _with(model, component.spec, kept, layer.namespace)
    values = values_of(model, spec)
    named = dict(secrets_in(kept))
    try:
        read = components.read(component.driver, _in_place(model, spec) if named else spec)
    except ValidationError as error:
        return [_named(component, fault) for fault in faults_of(error)]
    return Fitted(read, values, spec if named else None, notices)


def values_of(model: type[components.Spec], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a spec; none where its driver takes none."""
    found = spec.get(model.values_field) if model.values_field else None
    return found if isinstance(found, dict) else {}


def opened(driver: str, sealed: Mapping[str, Any], secrets: Mapping[str, str]) -> components.Spec:
    """The spec with the values of its secrets.

    Raises KeyError for one that is missing, ValidationError for one that the driver does not take.
    """
    model = components.specs()[driver]
    field_ = model.values_field or ""
    return components.read(driver, {**sealed, field_: filled(sealed[field_], secrets)})


def secrets_of(driver: str, sealed: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """Where a sealed spec names secrets, and which."""
    return list(secrets_in(values_of(components.specs()[driver], sealed)))


def _without_obsolete(values: dict[str, Any], obsolete: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    notices = []
    for key in obsolete:
        try:
            fewer = taken_away(values, parsed(key))
        except BadPath as error:  # published before this was refused
            notices.append(
                f"`{key}`, which the release calls obsolete, leads to no key, so nothing is left out: {error}"
            )
            continue
        if fewer is not None:
            values = fewer
            notices.append(f"`{key}` is set, and the release does not know it any more: it is left out")
    return values, tuple(notices)


def _not_taken(
    component: Component, model: type[components.Spec], values: Mapping[str, Any], layer: Layer
) -> list[Fault]:
    faults = []
    if values and not model.values_field:
        faults.append(_fault(component.name, "values", f"the driver {component.driver} takes no values"))
    if layer.namespace and not model.namespace_field:
        faults.append(_fault(component.name, "namespace", f"the driver {component.driver} knows no namespaces"))
    if not model.secret_values:
        faults += [
            _fault(component.name, written(path), f"the driver {component.driver} takes no secrets in values; {NEAR}")
            for path, _ in secrets_in(dict(values))
        ]
    return faults


NEAR = "name the secret in the connection of the site"


def _with(
    model: type[components.Spec], spec: Mapping[str, Any], values: Mapping[str, Any], namespace: str | None
) -> dict[str, Any]:
    merged = dict(spec)
    if model.values_field and values:
        merged[model.values_field] = onto(values_of(model, spec), values, nulls_travel=model.nulls_travel)
    if model.namespace_field and namespace:
        merged[model.namespace_field] = namespace
    return merged


def _in_place(model: type[components.Spec], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Texts stand where secrets will: they hold their names, so that another name is another spec."""
    field_ = model.values_field or ""
    names = {name for _, name in secrets_in(spec[field_])}
    return {**spec, field_: filled(spec[field_], {name: f"secret {name}" for name in names})}


def _named(component: Component, fault: Fault) -> Fault:
    return _fault(component.name, fault.field, fault.message, fault.value)


def _fault(component: str, where: str, message: str, value: Any = None) -> Fault:
    return Fault(code=CODE, field=f"overrides.{component}.{where}", message=message, value=value)
