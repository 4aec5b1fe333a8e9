"""Wiring: which drivers there are, who handles what, who works."""

from functools import partial

from services.deployer.crew import Crew
from services.deployer.drivers.process import ProcessDriver
from services.deployer.drivers.simulated import SimulatedDriver
from services.deployer.facts import report_host, tell_unneeded
from services.deployer.handlers import handlers
from services.deployer.leases import Leases
from services.deployer.planner import Planner
from services.deployer.runner import Runner
from services.deployer.settings import DeployerSettings
from shared.process.service import Service

TOPICS = ("deployer.commands", "catalog.events", "strategy.events")


async def wire(service: Service) -> None:
    """Fill the service with the deployer's handlers, its runner, and the care for the processes it keeps."""
    settings = service.settings
    processes = ProcessDriver.from_settings(settings)
    crew = Crew({"simulated": SimulatedDriver(settings.home / "devices"), "process": processes})
    own = DeployerSettings()
    leases = Leases(service.ledger, settings.instance, settings.lease_seconds, own.at_once)
    service.handlers = handlers(Planner(crew), leases)
    service.topics = TOPICS
    service.parts += [
        Runner(service.ledger, crew, own, leases).run,
        processes.tend,
        partial(report_host, service.ledger, settings.instance),
        partial(tell_unneeded, service.ledger, own.unneeded_seconds),
    ]
