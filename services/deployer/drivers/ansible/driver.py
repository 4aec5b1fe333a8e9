"""The ansible driver: components that playbooks bring onto the hosts of a site."""

from __future__ import annotations

from typing import Self

from services.deployer.drivers.ansible.delivery import Delivery
from services.deployer.drivers.ansible.records import Records
from services.deployer.drivers.ansible.runs import Runs
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.ansible.supply import Supply
from services.deployer.drivers.ansible.tool import AnsibleTool
from services.deployer.drivers.bundles import UnpackedBundles, from_store
from services.deployer.drivers.content import Pace
from services.deployer.drivers.durable.driver import DurableDriver
from shared.blobs import Blobs
from shared.process.settings import Settings


class AnsibleDriver(DurableDriver):
    """Orders kept in the database, carried out by ansible-runner."""

    def __init__(self, settings: Settings, ansible: AnsibleSettings, pace: Pace) -> None:
        blobs = Blobs.open(settings)
        bundles = UnpackedBundles(settings.home.resolve() / "ansible" / "bundles", from_store(blobs), ansible.bundles)
        delivery = Delivery(ansible, pace, settings.home.resolve() / "ansible" / "content")
        supply = Supply(delivery, bundles, blobs)
        tool = AnsibleTool(Runs(settings.home), bundles, blobs, Records(self._connection), supply, ansible)
        super().__init__(settings.postgres, tool)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The driver of a service: bundles from its blob store, runs under its home."""
        return cls(settings, AnsibleSettings(), Pace.of_process())
