"""The relay: whoever commits, records go out at once and in order."""

import pytest

from shared.messages.strategy import Site, SitesChanged
from tests.service.core.counter import wire
from tests.support.world import World

pytestmark = pytest.mark.service

NEVER = 60_000


async def test_what_a_replica_without_a_shard_commits_is_sent_at_once_by_the_one_that_has_them(world: World) -> None:
    async with (
        world.run("strategy_orchestrator", wire, "1", relay_fallback_ms=NEVER) as owner,
        world.run("strategy_orchestrator", wire, "2", relay_fallback_ms=NEVER) as other,
    ):
        for number in range(1, 21):
            service = (owner, other)[number % 2]
            async with service.ledger.turn() as turn:
                turn.emit(SitesChanged(sites=(Site(name=f"s-{number}"),)), sequence=number)
            await world.until(SitesChanged, lambda event, number=number: event.sites[0].name == f"s-{number}", 10)
    told = [event.sites[0].name for event in world.events(SitesChanged)]
    assert told == [f"s-{number}" for number in range(1, 21)]
