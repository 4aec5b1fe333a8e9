"""The driver `container`, as the deployer finds it."""

from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.container.tool import ContainerTool
from services.deployer.drivers.durable.driver import DurableDriver
from shared.process.settings import Settings


def from_settings(settings: Settings) -> DurableDriver:
    """The driver of a service: its orders in the service's database."""
    return DurableDriver(settings.postgres, ContainerTool(ContainerSettings()))
