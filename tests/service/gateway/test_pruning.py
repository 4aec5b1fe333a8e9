"""What ended long ago is forgotten in small batches; what is not over, or was put away of late, stays and is shown."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.service.gateway.door import Door, gateway

from services.gateway.pruning import deleted_strategies, prunings
from services.gateway.settings import GatewaySettings
from shared.core.pruning import prune
from shared.messages import strategy
from tests.service.gateway.told import planned, running, state_changed, stepped, succeeded
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime.now(UTC)
TABLES = ("strategy", "stage", "step", "timeline", "forecast")
OPERATIONS = """
    insert into operation (operation_id, site, app, kind, state, requested_at, finished_at, at)
    select 'old-' || n, 's', 'web', 'update', 'succeeded', $2, $2, $2 from generate_series(1, $1) n
"""


async def prune_all(door: Door, **knobs: float) -> None:
    for one in prunings(GatewaySettings(**knobs)):
        await prune(door.service.ledger, one)


async def age(door: Door, table: str, column: str, days: float) -> None:
    moved = f"update {table} set {column} = $1"  # noqa: S608
    await door.service.pool.execute(moved, NOW - timedelta(days=days))


async def count(door: Door, table: str) -> int:
    return int(await door.service.pool.fetchval(f"select count(*) from {table}"))  # noqa: S608


def deleted(strategy_id: str, name: str, days: float) -> strategy.StrategyDeleted:
    return strategy.StrategyDeleted(strategy_id=strategy_id, name=name, at=NOW - timedelta(days=days))


async def put_away(world: World, door: Door, strategy_id: str, days: float, sites: int = 3) -> None:
    """A strategy with some sites that was deleted so long ago, as its events tell it; shown as such."""
    await tell_of_one_put_away(world, strategy_id, days, sites)
    await door.shows(f"/v1/strategies/{strategy_id}", lambda body: body["deleted"])


async def tell_of_one_put_away(world: World, strategy_id: str, days: float, sites: int) -> None:
    steps = [(f"site-{number}", 0, "failed") for number in range(sites)]
    story: list[Any] = [planned(strategy_id, strategy_id, sites), stepped(strategy_id, 1, *steps)]
    story += [state_changed(strategy_id, strategy_id, "failed", 2), deleted(strategy_id, strategy_id, days)]
    for sequence, event in enumerate(story, 1):
        await world.send(event, message_id=f"{strategy_id}-{sequence}", sequence=sequence)


async def test_a_strategy_put_away_long_ago_is_forgotten_and_others_stay(world: World) -> None:
    async with gateway(world) as door:
        await put_away(world, door, "old", days=31)
        await put_away(world, door, "young", days=29)
        await world.send(planned("living", "living", 2), sequence=1)
        await door.shows("/v1/strategies/living", lambda body: body["state"] == "ready")
        await prune_all(door)
        assert (await door.ask("GET", "/v1/strategies/old")).status == 404
        assert len((await door.get("/v1/strategies/young/steps"))["items"]) == 3
        assert (await door.get("/v1/strategies/living"))["state"] == "ready"
        for table in TABLES:
            gone = f"select count(*) from {table} where strategy_id = 'old'"  # noqa: S608
            assert await door.service.pool.fetchval(gone) == 0


async def test_its_steps_and_its_story_go_in_batches_and_the_strategy_with_the_last(world: World) -> None:
    async with gateway(world) as door:
        await put_away(world, door, "old", days=31, sites=5)
        forget, left = deleted_strategies(30), []
        more = True
        while more:
            async with door.service.ledger.transaction() as tx:
                more = await forget(tx, 2)
            left.append((await count(door, "step"), await count(door, "strategy")))
        assert left == [(3, 1), (1, 1), (0, 1), (0, 0), (0, 0)]
        assert await count(door, "timeline") == 0


async def test_what_ended_long_ago_goes_and_what_runs_or_ended_of_late_stays(world: World) -> None:
    async with gateway(world) as door:
        await door.service.pool.execute(OPERATIONS, 2_500, NOW - timedelta(days=31))
        await world.send(running("runs", "a", 10))
        await world.send(succeeded("ended", "b"))
        for operation in ("runs", "ended"):
            await door.shows(f"/v1/operations/{operation}", lambda body: body)
        later = "update operation set at = now() - interval '29 days' where operation_id in ('runs', 'ended')"
        await door.service.pool.execute(later)
        await prune_all(door)
        rows = await door.service.pool.fetch("select operation_id from operation")
        assert {row["operation_id"] for row in rows} == {"runs", "ended"}


async def test_one_that_stays_among_the_first_holds_up_no_other(world: World) -> None:
    async with gateway(world) as door:
        await door.service.pool.execute(OPERATIONS, 3, NOW)
        await door.service.pool.execute(OPERATIONS.replace("'old-'", "'older-'"), 3_000, NOW - timedelta(days=31))
        await prune_all(door)
        assert await count(door, "operation") == 3


async def test_a_command_answers_for_its_key_as_long_as_it_is_kept(world: World) -> None:
    async with gateway(world, answer_seconds=0) as door:
        body = {"sites": [{"name": "oslo", "driver": "simulated"}]}
        first = await door.ask("POST", "/v1/sites", body, Idempotency_Key="k-1")
        await age(door, "command", "sent_at", 29)
        await prune_all(door)
        again = await door.ask("POST", "/v1/sites", body, Idempotency_Key="k-1")
        assert (again.status, again.body) == (first.status, first.body)
        await age(door, "command", "sent_at", 31)
        await prune_all(door)
        assert await count(door, "command") == 0


async def test_the_audit_is_kept_for_two_years(world: World) -> None:
    async with gateway(world, answer_seconds=0) as door:
        await door.ask("POST", "/v1/sites", {"sites": [{"name": "oslo", "driver": "simulated"}]})
        before = await count(door, "audit")
        assert before
        await age(door, "audit", "at", 729)
        await prune_all(door)
        assert await count(door, "audit") == before
        await age(door, "audit", "at", 731)
        await prune_all(door)
        assert await count(door, "audit") == 0


async def test_pruning_beside_what_is_learned_does_no_harm(world: World) -> None:
    async with gateway(world, settings={"prune_seconds": 0.01}) as door:
        await door.service.pool.execute(OPERATIONS, 3_000, NOW - timedelta(days=31))
        await tell_of_one_put_away(world, "old", days=31, sites=50)
        await asyncio.gather(*(world.send(running(f"o-{n}", f"s-{n}", 10)) for n in range(200)))
        await asyncio.gather(*(world.send(succeeded(f"o-{n}", f"s-{n}")) for n in range(200)))
        await world.send(planned("last", "last", 1), sequence=1)
        await door.shows("/v1/strategies/last", lambda body: body["state"] == "ready")
        async with patience(10):
            while await count(door, "step"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        ended = "select count(*) from deployment where operation_id like 'o-%'"
        assert await door.service.pool.fetchval(ended) == 200
