"""Wiring: which driver serves whom, who handles what, who works."""

from collections.abc import Mapping

from services.deployer.crew import Crew
from services.deployer.drivers import Driver
from services.deployer.drivers.simulated import SimulatedDriver
from services.deployer.handlers import handlers
from services.deployer.leases import Leases
from services.deployer.planner import Planner
from services.deployer.runner import Runner
from services.deployer.settings import DeployerSettings
from shared.service import Service
from shared.settings import Settings

TOPICS = ("deployer.commands", "catalog.events", "strategy.events")


async def wire(service: Service) -> None:
    """Fill the service with the deployer's handlers and its runner."""
    own, settings = DeployerSettings(), service.settings
    crew = Crew(drivers(settings))
    leases = Leases(service.ledger, f"{service.name}-{settings.instance}", settings.lease_seconds)
    service.handlers = handlers(Planner(crew))
    service.topics = TOPICS
    service.parts.append(Runner(service.ledger, crew, own, leases).run)


def drivers(settings: Settings) -> Mapping[str, Driver]:
    """Every driver by its name in the manifest."""
    return {"simulated": SimulatedDriver(settings.home / "devices")}
