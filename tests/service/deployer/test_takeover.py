"""A deployer is killed, stopped or doubled amid operations: each order takes effect once, nothing is lost."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.deployer.store import Store
from shared.messages.deployer import CancelOperation, OperationFailed, OperationSucceeded
from tests.service.deployer.fleet import Fleet, Gate, deployer, ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

PLACES = ["before the start", "after the start", "with the result"]
LEASE = 0.4


@asynccontextmanager
async def stuck_at(world: World, place: str, sites: list[str]) -> AsyncIterator[tuple[Fleet, Gate]]:
    """A deployer whose runner, like a process that was stopped, stands still at `place` once it comes there."""
    fleet, gate = Fleet(world), Gate(place)
    await fleet.sites(*sites)
    await fleet.release("1.0")
    await fleet.release("2.0")
    async with world.run("deployer", deployer(gate.before, runs=gate.leases), lease_seconds=LEASE) as service:
        await fleet.known(service)
        yield fleet, gate


@pytest.mark.parametrize("place", PLACES)
async def test_another_runner_finishes_what_a_dead_one_left(world: World, place: str) -> None:
    async with stuck_at(world, place, ["oslo"]) as (fleet, gate):
        operation = await fleet.request("oslo", "apply", "1.0")
        await gate.reached.wait()
        async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
            ended = await fleet.end(operation)
    assert isinstance(ended, OperationSucceeded)
    assert fleet.effects(operation) == [("forward/web", "started"), ("forward/web", "ended")]


@pytest.mark.parametrize("place", PLACES)
async def test_a_zombie_can_neither_write_a_result_nor_touch_the_site(world: World, place: str) -> None:
    async with stuck_at(world, place, ["oslo", "rome"]) as (fleet, gate):
        operation = await fleet.request("oslo", "apply", "1.0")
        await gate.reached.wait()
        async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
            await fleet.end(operation)
            await fleet.do("oslo", "update", "2.0")
            gate.opened.set()  # the zombie wakes, with an old plan or an old result in its hands
            await fleet.do("rome", "apply", "1.0")
            after = await fleet.do("oslo", "rollback")
        assert (after.from_version, after.version) == ("2.0", "1.0")
        ends = [e for e in world.seen if getattr(e.data, "operation_id", None) == operation]
        assert [(type(e.data).__name__, e.sequence) for e in ends] == [("OperationSucceeded", 1)]
        assert fleet.running("oslo") == {"web": "1.0"}
        fleet.assert_each_order_once()


async def test_a_zombie_cannot_begin_what_was_cancelled_meanwhile(world: World) -> None:
    async with stuck_at(world, "before the start", ["oslo", "rome"]) as (fleet, gate):
        operation = await fleet.request("oslo", "apply", "1.0")
        await gate.reached.wait()
        await world.ask(CancelOperation(site="oslo", operation_id=operation))
        async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
            ended = await fleet.end(operation)
            assert isinstance(ended, OperationFailed)
            assert (ended.cause.code, ended.recovered) == ("cancelled", True)
            gate.opened.set()
            await fleet.do("rome", "apply", "1.0")
        assert ("forward/web", "started") not in fleet.effects(operation)
        assert fleet.running("oslo") == {}


async def test_a_recovery_that_was_interrupted_goes_on_and_keeps_its_cause(world: World) -> None:
    fleet, gate = Fleet(world), Gate("start of the way back")
    await fleet.sites("oslo")
    await fleet.release("1.0")
    await fleet.release("2.0", simulated("web", sites={"oslo": "hang"}))
    async with world.run("deployer", deployer(gate.before, runs=gate.leases), lease_seconds=LEASE) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "2.0", timeout_seconds=1)
        await gate.reached.wait()
        async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
            ended = await fleet.end(operation)
    assert isinstance(ended, OperationFailed)
    assert (ended.cause.code, ended.recovered) == ("timeout", True)
    fleet.assert_each_order_once()


async def test_a_deployer_that_stops_in_order_hands_over_at_once(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0", simulated("web", seconds=(0.5, 0.5)))
    async with world.run("deployer", deployer(), lease_seconds=60) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.begun(operation)
    async with world.run("deployer", deployer(), instance="2", lease_seconds=60):
        assert isinstance(await fleet.end(operation), OperationSucceeded)
    fleet.assert_each_order_once()


async def test_two_deployers_share_the_work_and_no_order_is_carried_out_twice(world: World) -> None:
    sites = [f"site-{n}" for n in range(200)]
    async with ready(world, sites, []) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(0, 0.5), fail=0.2, crash=0.1))
        async with world.run("deployer", deployer(), instance="2") as second:
            await fleet.known(second)
            operations = await fleet.request_all(sites, "apply", "1.0")
            ends = [await fleet.end(operation) for operation in operations]
    assert len({end.operation_id for end in ends}) == len(sites)
    fleet.assert_each_order_once()
    for end in ends:
        assert fleet.running(end.site) == ({"web": "1.0"} if isinstance(end, OperationSucceeded) else {})


async def test_deployers_killed_again_and_again_lose_nothing(world: World) -> None:
    sites = [f"site-{n}" for n in range(100)]
    fleet = Fleet(world)
    await fleet.sites(*sites)
    await fleet.release("1.0", simulated("web", seconds=(0.2, 2.5), fail=0.2))
    async with world.run("deployer", deployer(runs=None)) as service:
        await fleet.known(service)
        operations = await fleet.request_all(sites, "apply", "1.0")
        for _ in range(3):
            async with killed_in_the_end(world) as process:
                await fleet.some_ended(operations, more=10)
                process.send_signal(signal.SIGKILL)
        async with world.run("deployer", deployer(), instance="2"):
            ends = [await fleet.end(operation) for operation in operations]
    fleet.assert_each_order_once()
    for end in ends:
        assert fleet.running(end.site) == ({"web": "1.0"} if isinstance(end, OperationSucceeded) else {})


@asynccontextmanager
async def killed_in_the_end(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """A deployer as it is started in production, in its own process."""
    settings = world.settings("deployer", "3", lease_seconds=0.5, http_port=0)
    words = {f"BELAY_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_none=True).items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.deployer", env={**os.environ, **words}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_course_that_another_version_saved_and_nobody_can_read_is_walked_anew(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0")
    async with world.run("deployer", deployer(runs=None)) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "1.0")
        await service.pool.execute("update operation set course = $1, state = 'running'", {"leg": "sideways"})
    async with world.run("deployer", deployer()):
        assert isinstance(await fleet.end(operation), OperationSucceeded)


async def test_a_result_that_cannot_be_written_holds_up_no_other_and_is_written_when_it_can_be(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        await fleet.service.pool.execute(OUT_OF_ORDER)
        stuck, *others = await fleet.request_all(["oslo", "rome"], "apply", "1.0")
        assert isinstance(await fleet.end(others[0]), OperationSucceeded)
        await fleet.service.pool.execute("drop trigger out_of_order on deployment")
        assert isinstance(await fleet.end(stuck), OperationSucceeded)
        fleet.assert_each_order_once()


OUT_OF_ORDER = """
    create function refuse() returns trigger language plpgsql as $$ begin raise 'out of order'; end $$;
    create trigger out_of_order before insert on deployment for each row when (new.site = 'oslo')
        execute function refuse();
"""


async def test_who_begins_under_an_old_name_does_not_wait_for_what_the_old_one_is_storing(world: World) -> None:
    async with ready(world, ["oslo", "rome"], []) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(2, 2)))
        await fleet.known(fleet.service)
        operations = [await fleet.request(site, "apply", "1.0") for site in ("oslo", "rome")]
        pool = fleet.service.pool
        while await pool.fetchval("select count(*) from operation where runner is not null") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        async with pool.acquire() as storing, storing.transaction():
            await storing.execute("update operation set state = state where site = 'oslo'")
            async with pool.acquire() as beginning, asyncio.timeout(5):
                await Store(beginning).add_runner("1/anew", "1", 0.1)
            rows = await pool.fetch("select site from operation where runner is not null")
            assert [row["site"] for row in rows] == ["oslo"]
        for operation in operations:  # what was passed by is found later
            assert isinstance(await fleet.end(operation), OperationSucceeded)
        fleet.assert_each_order_once()


async def test_two_that_fell_silent_together_do_not_wait_for_each_other(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        lapsed = "insert into runner (id, instance, lease_until) values ($1, $1, now() - interval '1 hour')"
        for name in ("one", "other"):
            await pool.execute(lapsed, name)
        async with pool.acquire() as back, back.transaction():
            await back.execute("select from runner where id = 'one' for update")  # it is just extending its lease
            async with asyncio.timeout(10), pool.acquire() as conn:
                await Store(conn).release_lapsed()
        assert await pool.fetchval("select array_agg(id) from runner where id in ('one', 'other')") == ["one"]
