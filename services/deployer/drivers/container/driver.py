"""The driver `container`, as the deployer finds it."""

from services.deployer.drivers.container.sending import Store
from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.container.tool import ContainerTool
from services.deployer.drivers.content import Pace
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.blobs import Blobs
from shared.process.settings import Settings


def from_settings(settings: Settings) -> DurableDriver:
    """The driver of a service: its orders in the service's database, images from its blob store."""
    store = Store(Blobs.open(settings), Pace.of_process())
    tool = ContainerTool(ContainerSettings(), store, shared=SharedPulls(settings.postgres))
    return DurableDriver(settings.postgres, tool)
