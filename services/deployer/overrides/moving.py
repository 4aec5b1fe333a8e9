"""Components that would come to lie in another namespace. Pure.

Namespaces are set when a component comes: what lies in another would be left behind there, looked after by nobody.
"""

from collections.abc import Iterator, Mapping

from services.deployer.drivers import Component
from shared.messages.base import Fault


def moved(
    before: Mapping[str, Component],
    after: Mapping[str, Component],
    set_before: Mapping[str, str],
    set_now: Mapping[str, str],
) -> Iterator[Fault]:
    """A fault for each that people move; `set_…` tells by component what is set, the same for the same."""
    for name in after.keys() & before.keys():
        old, new = _namespace(before[name]), _namespace(after[name])
        if old and new and old != new and set_before.get(name) != set_now.get(name):
            message = f"it lies in {old}: switch the component off and reapply, then set the namespace and switch it on"
            yield Fault(code="overrides_invalid", field=f"overrides.{name}.namespace", message=message, value=new)


def _namespace(component: Component) -> str | None:
    field = getattr(type(component.spec), "namespace_field", None)
    return getattr(component.spec, field) if field else None
