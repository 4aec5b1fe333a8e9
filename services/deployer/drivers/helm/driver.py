"""The helm driver of a service."""

from services.deployer.drivers.bundles import from_store
from services.deployer.drivers.content import Pace, Source
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.helm.tool import HelmTool
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.blobs import Blobs
from shared.process.settings import Settings


def from_settings(settings: Settings) -> DurableDriver:
    """Orders in the service's database, bundles from its blob store, charts under its home."""
    blobs = Blobs.open(settings)
    source, folder = Source(blobs, Pace.of_process()), settings.home.resolve() / "helm"
    shared = SharedPulls(settings.postgres)
    return DurableDriver(settings.postgres, HelmTool(HelmSettings(), folder, from_store(blobs), shared, source))
