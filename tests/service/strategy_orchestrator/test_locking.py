"""Two replicas that move the same strategies at the same time."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.conductor import Conductor
from services.strategy_orchestrator.locking import lock_strategies_of
from shared.codec import Envelope
from shared.messages.strategy import CommandAccepted, CreateStrategy, PauseStrategy
from shared.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service


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
    async with service.ledger.turn() as turn:
        await lock_strategies_of(turn, told)
        for name in names:
            assert await Conductor(turn).load([name])
            await turn.conn.execute("select pg_sleep(0.1)")
