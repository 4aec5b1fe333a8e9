"""Two replicas that move the same strategies at the same time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from asyncpg import TransactionRollbackError

from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.fleet.group_slots import GROUP_SLOT
from services.strategy_orchestrator.rollout.locking import lock_strategies_of
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from shared.core.transaction import Timer, Transaction
from shared.messages.deployer import AvailabilityChanged, OperationSucceeded, SiteAvailability
from shared.messages.strategy import CommandAccepted, CreateStrategy, PauseStrategy, SitesChanged, SitesReleased
from shared.messages.words import Availability
from shared.process.service import Service
from shared.wire.codec import Envelope, new_id
from tests.service.strategy_orchestrator.fleet_of_devices import learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_they_wait_for_each_other_in_one_order_however_their_messages_come(world: World) -> None:
    await publish(world)
    async with world.run("strategy_orchestrator", wire) as service:
        await learned(service)
        await register(world, 2)
        for name in ("a", "b"):
            assert isinstance(await world.ask(CreateStrategy(spec=spec(name=name)), message_id=name), CommandAccepted)
        async with patience(20):
            await asyncio.gather(*(move(service, names) for names in (["a", "b"], ["b", "a"]) * 3))


async def move(service: Service, names: list[str]) -> None:
    """As handlers do: one after the other, in the order of the messages. Raises when PostgreSQL finds a deadlock."""
    told = [Envelope(PauseStrategy(strategy=name), f"pause-{name}", "/test", datetime.now(UTC)) for name in names]
    async with service.ledger.transaction() as work:
        assert isinstance(work, UnitOfWork)
        await lock_strategies_of(work, told)
        for name in names:
            assert await work.load([name])
            await work.conn.execute("select pg_sleep(0.1)")


async def test_who_tells_of_the_fleet_keeps_nobody_waiting_who_holds_what_it_needs(world: World) -> None:
    """One says that sites are free and goes on to the next strategy, which another holds that says so too."""
    await publish(world)
    async with world.run("strategy_orchestrator", wire) as service:
        await learned(service)
        await register(world, 1)
        for name in ("a", "b"):
            assert isinstance(await world.ask(CreateStrategy(spec=spec(name=name)), message_id=name), CommandAccepted)
        async with patience(20):
            await asyncio.gather(tell_then_hold(service, "a", "b"), tell_then_hold(service, "b", "b"))
        for name in ("a", "b"):
            await world.until(SitesReleased, lambda told, name=name: told.strategy_id == name)
        fleet = [e.sequence for e in world.seen if isinstance(e.data, SitesChanged | SitesReleased)]
        assert sorted(fleet) == [1, 2, 3]


async def tell_then_hold(service: Service, told: str, held: str) -> None:
    async with service.ledger.transaction() as work:
        assert isinstance(work, UnitOfWork)
        if told == held:
            await work.load([held])
            await work.conn.execute("select pg_sleep(0.2)")
        emit_fleet(work, [(SitesReleased(strategy_id=told), told)])
        await work.load([held])


async def test_sites_are_locked_in_one_order_whatever_is_said_of_them(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        names = await register(world, 2)
        async with patience(20):
            await asyncio.gather(*(changed(service, order) for order in (names, names[::-1]) * 3))


async def changed(service: Service, order: list[str]) -> None:
    """One site is said to answer, of the other an operation ended: as handlers do, one after the other."""
    first, second = order
    one = SiteAvailability(site=first, availability=Availability.ONLINE, since=NOW, nth=1)
    facts = {"kind": "apply", "app": "shop", "status": "operational", "seconds": 1, "nth": 1}
    facts |= {"from_version": None, "to_version": "1.0", "version": "1.0"}
    ended = OperationSucceeded.model_validate({"operation_id": "o", "site": second, **facts})
    told = [AvailabilityChanged(bucket=0, sites=(one,), at=NOW), ended]
    async with service.ledger.transaction() as work:
        await lock_strategies_of(work, [Envelope(data, new_id(), "/test", NOW) for data in told])
        for site in order:
            await work.conn.execute("update site set nth = nth where name = $1", site)
            await work.conn.execute("select pg_sleep(0.1)")


async def test_a_timer_is_not_taken_by_who_waits_for_whoever_sets_it_anew(world: World) -> None:
    """A transaction holds a strategy, or a group, and wakes others by timers; a timer's needs the strategy first."""
    await publish(world)
    broken: list[Exception] = []
    handled = asyncio.Event()

    async def wire_watched(service: Service) -> None:
        await wire(service)
        look = service.timers[GROUP_SLOT]

        async def watched(tx: Transaction, timers: Sequence[Timer]) -> None:
            try:
                await look(tx, timers)
            except TransactionRollbackError as error:
                broken.append(error)
                raise
            handled.set()

        service.timers = {**service.timers, GROUP_SLOT: watched}

    async with world.run("strategy_orchestrator", wire_watched) as service:
        await learned(service)
        await register(world, 1)
        assert isinstance(await world.ask(CreateStrategy(spec=spec(name="a")), message_id="a"), CommandAccepted)
        async with service.ledger.transaction() as tx:
            await lock_strategies_of(tx, [Envelope(PauseStrategy(strategy="a"), "p", "/test", datetime.now(UTC))])
            async with service.ledger.transaction() as another:
                another.set_timer(GROUP_SLOT, "a", another.now)
            async with patience(20):
                while not await service.pool.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            tx.set_timer(GROUP_SLOT, "a", tx.now)
        await asyncio.wait_for(handled.wait(), 20)
    assert not broken
