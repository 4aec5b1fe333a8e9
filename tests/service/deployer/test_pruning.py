"""Operations of long ago and records of releases left behind go; what a rollback or a repeated command needs stays."""

import asyncio
from datetime import timedelta

import pytest

from services.deployer.pruning import prunings
from services.deployer.settings import DeployerSettings
from shared.core.pruning import prune
from shared.messages.deployer import OperationSucceeded, RequestOperation, RestoreOverrides
from tests.service.deployer.fleet import APP, Fleet, ready
from tests.service.deployer.test_overrides import override, refused
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service

NAMED = """
    select count(*) from deployment d, unnest(d.version || d.history) as v (version)
    where not exists (select from component_revision r where (r.site, r.app, r.version) = (d.site, d.app, v.version))
"""


async def prune_all(fleet: Fleet, **own: float) -> None:
    for pruning in prunings(fleet.service.settings, DeployerSettings(**own)):
        await prune(fleet.service.ledger, pruning)


async def age(fleet: Fleet, operation: str, days: float) -> None:
    changed = "update operation set finished_at = now() - $2::interval where id = $1"
    await fleet.service.pool.execute(changed, operation, timedelta(days=days))


async def operations(fleet: Fleet) -> set[str]:
    return {row["id"] for row in await fleet.service.pool.fetch("select id from operation")}


async def recorded(fleet: Fleet, site: str) -> set[str]:
    rows = await fleet.service.pool.fetch("select version from component_revision where site = $1", site)
    return {row["version"] for row in rows}


async def test_operations_that_ended_long_ago_go_and_what_they_left_stays(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0", "2.0"]) as fleet:
        old = await fleet.request("oslo", "apply", "1.0")
        young = await fleet.request("rome", "apply", "1.0")
        await asyncio.gather(fleet.end(old), fleet.end(young))
        await age(fleet, old, 31)
        await age(fleet, young, 29)
        await prune_all(fleet)
        assert await operations(fleet) == {young}
        assert (await fleet.do("oslo", "update", "2.0")).from_version == "1.0"


ORDERS = """
    insert into driver_order (key, driver, site, app, component, result, note, ended_at)
    select key, 'ansible', site, 'shop', 'web', jsonb_build_object('as', result), note, now() - days * interval '1 day'
    from (values
        ('first', 'oslo', 'Done', '{"changes": true}'::jsonb, 90),
        ('last change', 'oslo', 'Done', '{"changes": true}', 80),
        ('failed since', 'oslo', 'Broken', '{"changes": true}', 70),
        ('fetched', 'oslo', 'Done', '{"changes": false}', 60),
        ('old', 'rome', 'Done', '{}', 50), ('young', 'rome', 'Done', '{}', 5)
    ) as o (key, site, result, note, days)
"""


async def test_of_old_orders_of_drivers_what_changed_a_place_last_stays_and_what_came_after_it(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.service.pool.execute(ORDERS)
        await prune_all(fleet)
        left = await fleet.service.pool.fetch("select key from driver_order")
        assert {row["key"] for row in left} == {"last change", "failed since", "fetched", "young"}


async def test_an_operation_that_runs_stays_however_old_it_is(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("2.0", simulated(hang=1))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        running = await fleet.request("oslo", "update", "2.0")
        await fleet.begun(running)
        await fleet.service.pool.execute("update operation set requested_at = now() - interval '90 days'")
        await prune_all(fleet)
        assert running in await operations(fleet)
        assert await fleet.refused("oslo", "apply", "1.0") == ["site_busy"]


async def test_an_operation_whose_command_may_come_again_stays_and_the_command_has_no_second_effect(
    world: World,
) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.end(operation)
        await age(fleet, operation, 20)
        await prune_all(fleet, operation_days=1)  # the inbox keeps its answer for 30
        assert await operations(fleet) == {operation}
        repeated = RequestOperation(site="oslo", app=APP, kind="apply", version="1.0")
        await world.send(repeated, message_id=operation)
        await fleet.refused("nowhere", "apply", "1.0")
        assert len(world.answers(operation)) == 2
        assert len(set(map(repr, world.answers(operation)))) == 1
        fleet.assert_each_order_once()


async def test_what_is_recorded_of_releases_that_a_site_can_go_back_to_stays(world: World) -> None:
    versions = ["1.0", "2.0", "3.0", "4.0"]
    async with ready(world, ["oslo"], versions, history=2) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        for version in versions[1:]:
            await fleet.do("oslo", "update", version)
        assert await recorded(fleet, "oslo") == {"1.0", "2.0", "3.0", "4.0"}
        await prune_all(fleet)
        assert await recorded(fleet, "oslo") == {"2.0", "3.0", "4.0"}
        for version in ("3.0", "2.0"):
            ended = await fleet.do("oslo", "rollback")
            assert (type(ended), ended.version) == (OperationSucceeded, version)


MANY_CHANGES = """
    with more as (
        insert into override_change (app, level, target, component, nth, given, at, changed_by, reason)
        select app, level, target, component, n, '{}', now(), '', '' from override, generate_series(2, 105) as n
    )
    update override set nth = 105
"""


async def changes_left(fleet: Fleet) -> set[int]:
    return {row["nth"] for row in await fleet.service.pool.fetch("select nth from override_change")}


async def test_changes_of_overrides_of_long_ago_go_but_for_the_last_and_for_what_anything_runs_with(
    world: World,
) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await override(world, "fleet", values={"a": 1})
        await fleet.do("oslo", "apply", "1.0")
        await fleet.service.pool.execute(MANY_CHANGES)
        await prune_all(fleet)
        assert len(await changes_left(fleet)) == 105  # all are young
        await fleet.service.pool.execute("update override_change set at = now() - interval '91 days' where nth <> 3")
        await prune_all(fleet)
        assert await changes_left(fleet) == {1, 3, *range(6, 106)}
        await fleet.do("oslo", "apply", only_changes=True)
        await prune_all(fleet)
        assert await changes_left(fleet) == {3, *range(6, 106)}
        gone = await refused(world, RestoreOverrides(app=APP, level="fleet", component="web", nth=1))
        assert "the last 100 of 105" in gone["unknown_change"]


async def test_a_deployment_that_is_changed_this_moment_is_left_and_nobody_waits(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0", "3.0"], history=1) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        await fleet.do("oslo", "update", "3.0")
        async with fleet.service.pool.acquire() as conn, conn.transaction():
            await conn.execute("select from deployment for update")
            async with asyncio.timeout(5):
                await prune_all(fleet)
            assert await recorded(fleet, "oslo") == {"1.0", "2.0", "3.0"}
        await prune_all(fleet)
        assert await recorded(fleet, "oslo") == {"2.0", "3.0"}


async def test_pruning_beside_running_operations_does_no_harm(world: World) -> None:
    sites, versions = [f"s-{number:02}" for number in range(30)], [f"{number}.0" for number in range(1, 9)]
    async with ready(world, sites, versions, prune_seconds=0.02, history=2) as fleet:
        for version in versions:
            kind = "apply" if version == "1.0" else "update"
            ends = [fleet.end(operation) for operation in await fleet.request_all(sites, kind, version)]
            assert {type(end) for end in await asyncio.gather(*ends)} == {OperationSucceeded}
            await fleet.service.pool.execute("update operation set finished_at = finished_at - interval '40 days'")
        for _ in range(2):
            ends = [fleet.end(operation) for operation in await fleet.request_all(sites, "rollback")]
            assert {type(end) for end in await asyncio.gather(*ends)} == {OperationSucceeded}
        assert await fleet.service.pool.fetchval(NAMED) == 0
        fleet.assert_each_order_once()
