"""What ended long ago is forgotten in small batches; what is not over, or was put away of late, stays and is shown."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.pruning import deleted_strategies, prunings
from services.gateway.settings import GatewaySettings
from shared.core.pruning import prune
from shared.messages import strategy
from tests.service.gateway.api import Api, gateway
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


async def prune_all(api: Api, **own: float) -> None:
    for one in prunings(GatewaySettings(**own)):
        await prune(api.service.ledger, one)


async def age(api: Api, table: str, column: str, days: float) -> None:
    moved = f"update {table} set {column} = $1"  # noqa: S608
    await api.service.pool.execute(moved, NOW - timedelta(days=days))


async def count(api: Api, table: str) -> int:
    return int(await api.service.pool.fetchval(f"select count(*) from {table}"))  # noqa: S608


def deleted(strategy_id: str, name: str, days: float) -> strategy.StrategyDeleted:
    return strategy.StrategyDeleted(strategy_id=strategy_id, name=name, at=NOW - timedelta(days=days))


async def put_away(world: World, api: Api, strategy_id: str, days: float, sites: int = 3) -> None:
    """A strategy with some sites that was deleted so long ago, as its events tell it; shown as such."""
    await tell_of_one_put_away(world, strategy_id, days, sites)
    await api.shows(f"/v1/strategies/{strategy_id}", lambda body: body["deleted"])


async def tell_of_one_put_away(world: World, strategy_id: str, days: float, sites: int) -> None:
    steps = [(f"site-{number}", 0, "failed") for number in range(sites)]
    story: list[Any] = [planned(strategy_id, strategy_id, sites), stepped(strategy_id, 1, *steps)]
    story += [state_changed(strategy_id, strategy_id, "failed", 2), deleted(strategy_id, strategy_id, days)]
    for sequence, event in enumerate(story, 1):
        await world.send(event, message_id=f"{strategy_id}-{sequence}", sequence=sequence)


async def test_a_strategy_put_away_long_ago_is_forgotten_and_others_stay(world: World) -> None:
    async with gateway(world) as api:
        await put_away(world, api, "old", days=31)
        await put_away(world, api, "young", days=29)
        await world.send(planned("living", "living", 2), sequence=1)
        await api.shows("/v1/strategies/living", lambda body: body["state"] == "ready")
        await prune_all(api)
        assert (await api.ask("GET", "/v1/strategies/old")).status == 404
        assert len((await api.get("/v1/strategies/young/steps"))["items"]) == 3
        assert (await api.get("/v1/strategies/living"))["state"] == "ready"
        for table in TABLES:
            gone = f"select count(*) from {table} where strategy_id = 'old'"  # noqa: S608
            assert await api.service.pool.fetchval(gone) == 0


async def test_its_steps_and_its_story_go_in_batches_and_the_strategy_with_the_last(world: World) -> None:
    async with gateway(world) as api:
        await put_away(world, api, "old", days=31, sites=5)
        forget, left = deleted_strategies(30), []
        more = True
        while more:
            async with api.service.ledger.transaction() as tx:
                more = await forget(tx, 2)
            left.append((await count(api, "step"), await count(api, "strategy")))
        assert left == [(3, 1), (1, 1), (0, 1), (0, 0), (0, 0)]
        assert await count(api, "timeline") == 0


async def test_what_ended_long_ago_goes_and_what_runs_or_ended_of_late_stays(world: World) -> None:
    async with gateway(world) as api:
        await api.service.pool.execute(OPERATIONS, 2_500, NOW - timedelta(days=31))
        await world.send(running("runs", "a", 10))
        await world.send(succeeded("ended", "b"))
        for operation in ("runs", "ended"):
            await api.shows(f"/v1/operations/{operation}", lambda body: body)
        later = "update operation set at = now() - interval '29 days' where operation_id in ('runs', 'ended')"
        await api.service.pool.execute(later)
        await prune_all(api)
        rows = await api.service.pool.fetch("select operation_id from operation")
        assert {row["operation_id"] for row in rows} == {"runs", "ended"}


async def test_one_that_stays_among_the_first_holds_up_no_other(world: World) -> None:
    async with gateway(world) as api:
        await api.service.pool.execute(OPERATIONS, 3, NOW)
        await api.service.pool.execute(OPERATIONS.replace("'old-'", "'older-'"), 3_000, NOW - timedelta(days=31))
        await prune_all(api)
        assert await count(api, "operation") == 3


async def test_a_command_answers_for_its_key_as_long_as_it_is_kept(world: World) -> None:
    async with gateway(world, answer_seconds=0) as api:
        body = {"sites": [{"name": "oslo", "driver": "simulated"}]}
        first = await api.ask("POST", "/v1/sites", body, Idempotency_Key="k-1")
        await age(api, "command", "sent_at", 29)
        await prune_all(api)
        again = await api.ask("POST", "/v1/sites", body, Idempotency_Key="k-1")
        assert (again.status, again.body) == (first.status, first.body)
        await age(api, "command", "sent_at", 31)
        await prune_all(api)
        assert await count(api, "command") == 0


async def test_the_audit_is_kept_for_two_years(world: World) -> None:
    async with gateway(world, answer_seconds=0) as api:
        await api.ask("POST", "/v1/sites", {"sites": [{"name": "oslo", "driver": "simulated"}]})
        before = await count(api, "audit")
        assert before
        await age(api, "audit", "at", 729)
        await prune_all(api)
        assert await count(api, "audit") == before
        await age(api, "audit", "at", 731)
        await prune_all(api)
        assert await count(api, "audit") == 0


async def test_pruning_beside_what_is_learned_does_no_harm(world: World) -> None:
    async with gateway(world, settings={"prune_seconds": 0.01}) as api:
        await api.service.pool.execute(OPERATIONS, 3_000, NOW - timedelta(days=31))
        await tell_of_one_put_away(world, "old", days=31, sites=50)
        await asyncio.gather(*(world.send(running(f"o-{n}", f"s-{n}", 10)) for n in range(200)))
        await asyncio.gather(*(world.send(succeeded(f"o-{n}", f"s-{n}")) for n in range(200)))
        await world.send(planned("last", "last", 1), sequence=1)
        await api.shows("/v1/strategies/last", lambda body: body["state"] == "ready")
        async with patience(10):
            while await count(api, "step"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        ended = "select count(*) from deployment where operation_id like 'o-%'"
        assert await api.service.pool.fetchval(ended) == 200


CHANGES = """
    with changed as (
        insert into override_change (app, level, target, component, nth, given, at, changed_by, reason)
        select 'web', level, target, 'ui', n, '{}', $1::timestamptz, '', ''
        from generate_series(1, 104) as n,
            (values ('fleet', ''), ('group', 'north'), ('site', 's')) as p (level, target)
    ), runs as (
        insert into deployment (site, app, status, at, overrides) values
            ('s', 'web', 'operational', $1, '{fleet/ui/1,group:north/ui/2,site/ui/3/values}'),
            ('other', 'web', 'operational', $1, '{site/ui/4}')
    )
    insert into override (app, level, target, component, nth)
    values ('web', 'fleet', '', 'ui', 104), ('web', 'group', 'north', 'ui', 104), ('web', 'site', 's', 'ui', 104)
"""


async def test_changes_of_overrides_of_long_ago_go_but_for_the_last_and_for_what_anything_runs_with(
    world: World,
) -> None:
    async with gateway(world) as api:
        await api.service.pool.execute(CHANGES, NOW - timedelta(days=91))
        await prune_all(api)
        rows = await api.service.pool.fetch("select level, nth from override_change where nth <= 4")
        assert {(row["level"], row["nth"]) for row in rows} == {("fleet", 1), ("group", 2), ("site", 3)}
        assert await count(api, "override_change") == 303
