"""Components of the driver `simulated`, as the catalog tells of them and as the driver gets them."""

from typing import Any

from services.deployer import drivers
from shared import components
from shared.messages.manifest import Component


def simulated(name: str = "web", *after: str, **spec: Any) -> Component:
    """A component that succeeds at once, unless its spec says otherwise."""
    whole = components.read("simulated", spec).model_dump(mode="json")
    return Component(driver="simulated", name=name, after=after, spec=whole)


def as_published(component: drivers.Component) -> Component:
    """A component of a driver as the catalog tells of it."""
    facts = {"driver": component.driver, "name": component.name, "after": component.after}
    return Component(**facts, spec=component.spec.model_dump(mode="json"))


def for_driver(component: Component) -> drivers.Component:
    """The same with its spec read."""
    spec = components.read(component.driver, component.spec)
    return drivers.Component(component.name, component.driver, spec, component.after)
