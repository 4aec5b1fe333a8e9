"""A fleet of simulated devices for the tests of the deployer, and the device's own word on what happened to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from services.deployer.app import TOPICS
from services.deployer.automatic.audit import Audit
from services.deployer.automatic.fulfilling import fulfil
from services.deployer.automatic.looking import Look
from services.deployer.drivers import Driver, Order, Progress
from services.deployer.drivers.registry import DriverRegistry, first_of
from services.deployer.drivers.simulated.driver import SimulatedDriver
from services.deployer.drivers.simulated.values import Line
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.engine.runner import Runner
from services.deployer.handlers import handlers
from services.deployer.pruning import prunings
from services.deployer.secrets.opening import SecretOpener
from services.deployer.settings import DeployerSettings
from services.deployer.site_runs.running import go_on
from services.deployer.waiting.looking_after import look_after
from shared.messages.base import CommandAccepted, CommandRejected, Event
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.deployer import OperationFailed, OperationsSucceeded, OperationSucceeded, RequestOperation
from shared.messages.manifest import Component
from shared.messages.strategy import Site, SitesChanged, SitesRemoved
from shared.process.service import Service, Wire
from shared.sealing import KeyPair
from tests.support.components import simulated
from tests.support.patience import patience
from tests.support.world import World

APP = "shop"
Answer = CommandAccepted | CommandRejected
Finished = OperationSucceeded | OperationFailed
LEARNT = """
    select coalesce((select sequence from feed), 0) = $1 and (select count(*) from release) = $2
        and (select count(*) from release where withdrawn) = $3
"""


@dataclass
class Fleet:
    """Sites and releases of one app, as the orchestrator and the catalog would tell of them."""

    world: World
    sequence: int = 0
    released: int = 0
    withdrawn: int = 0
    devices: SimulatedDriver = field(init=False)
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.devices = SimulatedDriver(self.world.home / "devices")

    # -- the world around -----------------------------------------------------------------------------------------

    async def tell(self, event: Any) -> None:
        """Publish an event of the fleet with the next sequence."""
        self.sequence += 1
        await self.world.send(event, sequence=self.sequence)

    async def sites(self, *names: str, **facts: Any) -> None:
        """Register or change sites: simulated ones, unless said otherwise."""
        facts = {"driver": "simulated", **facts}
        await self.tell(SitesChanged(sites=tuple(Site(name=name, **facts) for name in names)))

    async def tell_site(self, name: str, connections: dict[str, dict[str, Any]]) -> None:
        """Register a site that several drivers reach."""
        await self.tell(SitesChanged(sites=(Site(name=name, connections=connections),)))

    async def forget(self, *names: str) -> None:
        """Remove sites."""
        await self.tell(SitesRemoved(names=names))

    async def release(self, version: str, *components: Component, **facts: Any) -> None:
        """Publish a release; without components it has one, `web`, that succeeds at once."""
        self.released += 1
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
                    "components": components or (simulated(),),
                    "published_at": datetime.now(UTC),
                    **facts,
                }
            ),
            sequence=1,
        )

    async def withdraw(self, version: str) -> None:
        """Withdraw a release."""
        self.withdrawn += 1
        event = ReleaseWithdrawn(release_id=f"{APP}-{version}", app=APP, version=version)
        await self.world.send(event, sequence=2)

    async def known(self, service: Service) -> None:
        """Until the deployer has learnt all that was told so far; no event says so, its tables do."""
        async with patience(10):
            while not await service.pool.fetchval(LEARNT, self.sequence, self.released, self.withdrawn):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    # -- operations -----------------------------------------------------------------------------------------------

    async def request(self, site: str, kind: str, version: str | None = None, **facts: Any) -> str:
        """Request an operation that must be accepted; returns its id."""
        return (await self.answer(site, kind, version, **facts)).command_id

    async def answer(self, site: str, kind: str, version: str | None = None, **facts: Any) -> CommandAccepted:
        """The answer to a request that must be accepted."""
        answer = await self.world.ask(_request(site, kind, version, **facts))
        assert isinstance(answer, CommandAccepted), answer
        return answer

    async def refused(self, site: str, kind: str, version: str | None = None, **facts: Any) -> list[str]:
        """Request an operation that must be refused; returns the codes of all faults."""
        answer = await self.world.ask(_request(site, kind, version, **facts))
        assert isinstance(answer, CommandRejected), answer
        return [fault.code for fault in answer.faults]

    async def ask_all(self, sites: Sequence[str], kind: str, version: str | None = None, **facts: Any) -> list[Answer]:
        """Request an operation on each of these sites at once; the answers in order."""
        ids = await asyncio.gather(*(self.world.send(_request(site, kind, version, **facts)) for site in sites))
        return [await self.world.answer(identifier) for identifier in ids]

    async def request_all(self, sites: Sequence[str], kind: str, version: str | None = None, **facts: Any) -> list[str]:
        """The same, of which all must be accepted; returns the ids."""
        answers = await self.ask_all(sites, kind, version, **facts)
        assert all(isinstance(answer, CommandAccepted) for answer in answers)
        return [answer.command_id for answer in answers]

    async def end(self, operation_id: str) -> Finished:
        """How the operation ended."""
        event = await self.world.until(Event, lambda event: operation_id in ended_by(event))
        return ended_by(event)[operation_id]

    async def do(self, site: str, kind: str, version: str | None = None, **facts: Any) -> Finished:
        """Request an operation and wait for its end."""
        return await self.end(await self.request(site, kind, version, **facts))

    async def begun(self, operation_id: str) -> None:
        """Until a device has begun to work on the operation; devices tell it to nobody but their journal."""
        async with patience(10):
            while not self.effects(operation_id):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def some_ended(self, operation_ids: Sequence[str], more: int) -> None:
        """Until `more` of these operations have ended than now, or all."""
        wanted = set(operation_ids)

        def ended() -> int:
            return sum(operation in wanted for event in self.world.events(Event) for operation in ended_by(event))

        async with patience(30), self.world.news:
            goal = min(ended() + more, len(wanted))
            await self.world.news.wait_for(lambda: ended() >= goal)

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


def ended_by(event: Event) -> dict[str, Finished]:
    """The ends that an event tells of, by operation, each as if it were told alone."""
    if isinstance(event, OperationSucceeded | OperationFailed):
        return {event.operation_id: event}
    if not isinstance(event, OperationsSucceeded):
        return {}
    facts = event.model_dump(exclude={"operations"})
    return {one.operation_id: OperationSucceeded(**facts, **one.model_dump()) for one in event.operations}


def _request(site: str, kind: str, version: str | None, **facts: Any) -> RequestOperation:
    return RequestOperation.model_validate({"app": APP, **facts, "site": site, "kind": kind, "version": version})


class Stopped(Leases):
    """The leases of a runner whose process is stopped at a gate: no heartbeat from then on, nothing is given back."""

    stopped: asyncio.Event

    async def keep_for_ever(self) -> None:
        await first_of([super().keep_for_ever(), self.stopped.wait()])
        await asyncio.Event().wait()

    async def give_back(self) -> None:
        """Dead processes give nothing back."""


class Gate(Driver):
    """Devices behind a gate: the runner that comes to `place` stands still there until `opened`.

    With `only`, it comes there with orders alone whose keys hold that.
    """

    capabilities = SimulatedDriver.capabilities

    def __init__(self, place: str, only: str = "") -> None:
        self.place = place
        self.only = only
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    def before(self, driver: SimulatedDriver) -> Driver:
        """Put the gate between a runner and its devices."""
        self._driver = driver
        return self

    def leases(self, *arguments: Any) -> Leases:
        """Leases that nobody keeps any more once the runner has come to the gate."""
        leases = Stopped(*arguments)
        leases.stopped = self.reached
        return leases

    async def _pass(self, place: str, orders: Sequence[Order] = ()) -> None:
        if place == self.place and (not self.only or any(self.only in order.key for order in orders)):
            self.reached.set()
            await self.opened.wait()

    async def start(self, orders: Sequence[Order]) -> None:
        await self._pass("before the start", orders)
        if any("/recover/" in order.key for order in orders):
            await self._pass("start of the way back")
        await self._driver.start(orders)
        await self._pass("after the start", orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        answers = await self._driver.poll(orders)
        await self._pass("with the result", orders)
        return answers

    async def cancel(self, orders: Sequence[Order]) -> None:
        await self._driver.cancel(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        return await self._driver.has_revision(orders)

    async def wait(self, seconds: float) -> None:
        await self._driver.wait(seconds)


def deployer(
    drive: Callable[[SimulatedDriver], Driver] = lambda driver: driver,
    runs: Callable[..., Leases] | None = Leases,
    also: Mapping[str, Driver] = MappingProxyType({}),
    **chosen: Any,
) -> Wire:
    """The wiring of a replica, with quick settings. `drive` may put a gate before the devices; without `runs` it only
    answers commands; `also` are further drivers."""

    async def wire(service: Service) -> None:
        registry = DriverRegistry({"simulated": drive(SimulatedDriver(service.settings.home / "devices")), **also})
        own = DeployerSettings(**{"cancel_check_seconds": 0.02, "stop_seconds": 0.5, "recovery_seconds": 1.5, **chosen})
        leases = (runs or Leases)(service.ledger, service.settings.instance, service.settings.lease_seconds)
        keys = KeyPair.of(service.settings.home, "deployer")
        secrets = SecretOpener(service.pool, keys)
        planner = Planner(registry, secrets)
        service.handlers = handlers(planner, leases, keys)
        service.topics = TOPICS
        service.prunings = prunings(service.settings, own)
        if runs:
            service.parts.append(Runner(service.ledger, registry, own, leases, secrets).run)
            service.parts.append(partial(look_after, service.ledger))
            service.parts.append(partial(go_on, service.ledger, leases))
            service.parts.append(partial(fulfil, service.ledger, leases, own))
            look = Look(service.pool, registry, planner, secrets)
            lease = service.settings.lease_seconds
            service.parts.append(Audit(service.ledger, look, own, service.settings.instance, lease).run)

    return wire


@asynccontextmanager
async def ready(
    world: World, sites: Sequence[str], versions: Sequence[str], prune_seconds: float = 600, **own: Any
) -> AsyncIterator[Fleet]:
    """A running deployer that knows plain sites and releases."""
    fleet = Fleet(world)
    await fleet.sites(*sites)
    for version in versions:
        await fleet.release(version)
    async with world.run("deployer", deployer(**own), prune_seconds=prune_seconds) as service:
        await fleet.known(service)
        fleet.service = service
        yield fleet
