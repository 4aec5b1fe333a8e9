"""A fleet of simulated devices for the tests of the deployer, and the device's own word on what happened to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.deployer.app import TOPICS
from services.deployer.crew import Crew
from services.deployer.drivers import Driver
from services.deployer.drivers.simulated import SimulatedDriver
from services.deployer.drivers.simulated_journal import Line
from services.deployer.handlers import handlers
from services.deployer.leases import Leases
from services.deployer.planner import Planner
from services.deployer.runner import Runner
from services.deployer.settings import DeployerSettings
from shared.manifest import SimulatedComponent
from shared.messages.base import CommandAccepted
from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import CommandRejected, OperationFailed, OperationSucceeded, RequestOperation
from shared.messages.strategy import Site, SitesChanged
from shared.service import Service
from tests.support.world import World

APP = "shop"
Finished = OperationSucceeded | OperationFailed


@dataclass
class Fleet:
    """Sites and releases of one app, as the orchestrator and the catalog would tell of them."""

    world: World
    sequence: int = 0
    devices: SimulatedDriver = field(init=False)

    def __post_init__(self) -> None:
        self.devices = SimulatedDriver(self.world.home / "devices")

    # -- the world around -----------------------------------------------------------------------------------------

    async def tell(self, event: Any) -> None:
        """Publish an event of the fleet with the next sequence."""
        self.sequence += 1
        await self.world.send(event, sequence=self.sequence)

    async def sites(self, *names: str, **facts: Any) -> None:
        """Register or change sites."""
        await self.tell(SitesChanged(sites=tuple(Site(name=name, **facts) for name in names)))

    async def release(self, version: str, *components: SimulatedComponent, **facts: Any) -> None:
        """Publish a release; without components it has one, `web`, that succeeds at once."""
        await self.world.send(
            ReleaseAvailable(
                **{
                    "release_id": f"{APP}-{version}",
                    "app": APP,
                    "version": version,
                    "scheme": "pep440",
                    "bundle_sha256": f"{sum(version.encode()):064x}",
                    "bundle_bytes": 1,
                    "upgrades_from": None,
                    "components": components or (SimulatedComponent(name="web"),),
                    "published_at": datetime.now(UTC),
                    **facts,
                }
            ),
            sequence=1,
        )

    async def known(self, service: Service, sites: int, releases: int) -> None:
        """Wait until the deployer has learnt of so many sites and releases."""
        count = "select (select count(*) from site) = $1 and (select count(*) from release) = $2"
        async with asyncio.timeout(10):
            while not await service.pool.fetchval(count, sites, releases):
                await asyncio.sleep(0.01)  # its projections tell nobody when they are up to date

    # -- operations -----------------------------------------------------------------------------------------------

    async def request(self, site: str, kind: str, version: str | None = None, **facts: Any) -> str:
        """Request an operation that must be accepted; returns its id."""
        answer = await self.world.ask(_request(site, kind, version, **facts))
        assert isinstance(answer, CommandAccepted), answer
        return answer.command_id

    async def refused(self, site: str, kind: str, version: str | None = None, **facts: Any) -> list[str]:
        """Request an operation that must be refused; returns the codes of all faults."""
        answer = await self.world.ask(_request(site, kind, version, **facts))
        assert isinstance(answer, CommandRejected), answer
        return [fault.code for fault in answer.faults]

    async def end(self, operation_id: str) -> Finished:
        """How the operation ended."""
        done = await self.world.until(_Finished, lambda event: event.operation_id == operation_id)
        assert isinstance(done, OperationSucceeded | OperationFailed)
        return done

    async def do(self, site: str, kind: str, version: str | None = None, **facts: Any) -> Finished:
        """Request an operation and wait for its end."""
        return await self.end(await self.request(site, kind, version, **facts))

    # -- the device's own word ------------------------------------------------------------------------------------

    def running(self, site: str) -> dict[str, str]:
        """What runs on the site."""
        return self.devices.journal.running(site)

    def effects(self, operation_id: str) -> list[tuple[str, str]]:
        """What happened to devices on behalf of an operation: (leg/component, effect), in order."""
        return [
            (line["order"].removeprefix(f"{operation_id}/"), line["effect"])
            for line in self.journal()
            if line["order"].startswith(f"{operation_id}/")
        ]

    def journal(self) -> list[Line]:
        """Every line of the journal."""
        return self.devices.journal.lines()

    def assert_each_order_once(self) -> None:
        """No order was begun or ended twice, whoever tried."""
        begun = Counter(line["order"] for line in self.journal() if line["effect"] == "started")
        ended = Counter(line["order"] for line in self.journal() if line["effect"] != "started")
        assert set((begun + Counter()).values()) <= {1}, begun
        assert set(ended.values()) <= {1}, ended


_Finished = OperationSucceeded.__mro__[1]  # what both ends have in common


def _request(site: str, kind: str, version: str | None, **facts: Any) -> RequestOperation:
    return RequestOperation.model_validate({"site": site, "app": APP, "kind": kind, "version": version, **facts})


def deployer(
    drive: Callable[[SimulatedDriver], Driver] = lambda driver: driver, runs: bool = True, **knobs: Any
) -> Callable[[Service], Any]:
    """The wiring of a replica, with quick knobs. `drive` may put something between runner and devices."""

    async def wire(service: Service) -> None:
        driver = drive(SimulatedDriver(service.settings.home / "devices"))
        crew = Crew({"simulated": driver})
        owner = f"deployer-{service.settings.instance}"
        leases = Leases(service.ledger, owner, service.settings.lease_seconds)
        own = DeployerSettings(**{"cancel_check_seconds": 0.02, "stop_seconds": 0.5, "recovery_seconds": 1.5, **knobs})
        service.handlers = handlers(Planner(crew))
        service.topics = TOPICS
        if runs:
            service.parts.append(Runner(service.ledger, crew, own, leases).run)

    return wire


@asynccontextmanager
async def ready(world: World, sites: Sequence[str], versions: Sequence[str], **knobs: Any) -> AsyncIterator[Fleet]:
    """A running deployer that knows plain sites and releases."""
    fleet = Fleet(world)
    await fleet.sites(*sites)
    for version in versions:
        await fleet.release(version)
    async with world.run("deployer", deployer(**knobs)) as service:
        await fleet.known(service, len(sites), len(versions))
        yield fleet
