"""What a release is made of, with the specs of its components as their drivers take them."""

from pydantic import ValidationError

from services.deployer.drivers import Component
from services.deployer.plan import Content
from services.deployer.store import Published
from shared import components
from shared.messages import manifest
from shared.messages.base import faults_of


def content_of(release: Published) -> Content:
    """The content of a release. A spec that its driver does not take, or whose driver is not here, is `unreadable`."""
    read, unreadable = [], []
    for component in release.components:
        spec, why = _read(component)
        if why:
            unreadable.append((component.name, why))
        read.append(
            Component(
                component.name, component.driver, spec, component.after, component.enabled, component.timeout_seconds
            )
        )
    return Content.of(release.version, release.bundle_sha256, read, release.max_parallel, unreadable, release.rules)


def _read(component: manifest.Component) -> tuple[components.Spec | None, str]:
    try:
        return components.read(component.driver, component.spec), ""
    except components.UnknownDriver as error:
        return None, str(error)
    except ValidationError as error:
        return None, "; ".join(f"{fault.field}: {fault.message}" for fault in faults_of(error))
