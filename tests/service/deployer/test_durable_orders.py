"""Orders that the deployer's database keeps: begun once, found again, stopped by anybody, one at a time at a place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Done, Order, Progress, Running
from services.deployer.drivers.durable import session, store
from services.deployer.drivers.durable.driver import DurableDriver
from services.deployer.drivers.durable.run import Run
from shared.process.db import Connection
from tests.support.file_tool import FileTool, order
from tests.support.patience import patience

pytestmark = pytest.mark.service

Make = Callable[..., DurableDriver]


@pytest.fixture
async def make(deployer_database: str, tmp_path: Path) -> AsyncIterator[Make]:
    """Another driver on the same sites, as another deployer has it."""
    made: list[DurableDriver] = []

    def another(at_once: int = 50) -> DurableDriver:
        made.append(DurableDriver(deployer_database, FileTool(tmp_path / "sites", at_once)))
        return made[-1]

    yield another
    await asyncio.gather(*(driver.close() for driver in made))


def tool(driver: DurableDriver) -> FileTool:
    assert isinstance(driver._tool, FileTool)
    return driver._tool


async def ends(driver: DurableDriver, *orders: Order) -> Sequence[Progress]:
    async with asyncio.timeout(60):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return found
            await driver.wait(0.2)


async def reach(driver: DurableDriver, *orders: Order) -> Sequence[Progress]:
    await driver.start(orders)
    return await ends(driver, *orders)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - files change, of which no event tells
            await asyncio.sleep(0.02)


async def cut(dsn: str) -> None:
    """End the sessions that hold places, as PostgreSQL does when their process is gone."""
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(
            "select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database"
            " where l.locktype = 'advisory' and d.datname = current_database()"
        )
    finally:
        await conn.close()


async def test_an_order_is_carried_out_once_whoever_starts_it_and_how_often(make: Make) -> None:
    one, two, it = make(), make(), order("o1")
    await asyncio.gather(one.start([it]), two.start([it]), one.start([it]))
    assert await ends(one, it) == await ends(two, it) == [Done("r1.0")]
    assert tool(one).said(it) == ["took", "did"]


async def test_no_order_waits_behind_those_that_go_beside_it(make: Make) -> None:
    driver = make(at_once=1)
    slow = [order(f"slow {n}", site=f"s{n}", does="hangs", beside=True) for n in range(3)]
    await driver.start(slow)
    assert await reach(driver, order("o1", site="other")) == [Done("r1.0")]
    await until(lambda: sum("took" in tool(driver).said(each) for each in slow) == 1)
    await driver.cancel(slow)
    assert all(isinstance(each, Broken) for each in await ends(driver, *slow))


async def test_orders_of_one_place_go_one_after_the_other_in_the_sequence_of_their_beginning(make: Make) -> None:
    one, two = make(), make()
    first, second = order("o1", does="hangs"), order("o2")
    await one.start([first])
    await until(lambda: tool(one).said(first) == ["took"])
    await two.start([second])
    assert [type(each) for each in await two.poll([second])] == [Running]
    await two.cancel([first])
    assert (await ends(two, second))[0] == Done("r1.0")
    assert (await ends(one, first))[0] == Broken("cancelled", "it was told to stop")


async def test_another_driver_goes_on_when_the_session_of_the_first_is_over(make: Make, deployer_database: str) -> None:
    one, two, it = make(), make(), order("o1", does="hangs")
    await one.start([it])
    await until(lambda: tool(one).said(it) == ["took"])
    await two.poll([it])
    await cut(deployer_database)
    await until(lambda: tool(one).said(it) == ["took", "dropped", "took"])
    await two.cancel([it])
    assert (await ends(two, it))[0] == Broken("cancelled", "it was told to stop")


async def test_a_driver_that_lost_its_session_takes_its_own_order_up_again(make: Make, deployer_database: str) -> None:
    one, it = make(), order("o1", does="hangs")
    await one.start([it])
    await until(lambda: tool(one).said(it) == ["took"])
    await cut(deployer_database)
    async with asyncio.timeout(60):
        while tool(one).said(it) != ["took", "dropped", "took"]:
            assert [type(each) for each in await one.poll([it])] == [Running]
            await one.wait(0.1)


async def test_what_was_taken_is_carried_out_though_the_database_fails_right_after(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, held = make(), make(), order("o1", does="hangs")
    await two.start([held])
    await until(lambda: tool(two).said(held) == ["took"])
    failed = asyncio.Event()

    async def fails_once(conn: Connection, keys: Sequence[str]) -> dict[str, store.Kept]:
        if (task := asyncio.current_task()) and task.get_name() == "files orders" and not failed.is_set():
            failed.set()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return await find_orders(conn, keys)

    find_orders = store.find_orders
    monkeypatch.setattr(store, "find_orders", fails_once)
    free = order("o2", site="s2")
    await one.start([held, free])
    assert await ends(one, free) == [Done("r1.0")]
    assert failed.is_set()
    await one.cancel([held])
    assert await ends(one, held) == [Broken("cancelled", "it was told to stop")]


async def test_an_order_whose_place_is_lost_before_its_first_step_is_taken_up_again(
    make: Make, deployer_database: str
) -> None:
    driver, it = make(), order("o1")
    conn = await asyncpg.connect(deployer_database)
    await store.begin_orders(conn, [it])
    await conn.close()
    await driver._take([Run(it, driver._write_down, driver._end)])
    driver._drop_all()  # as when the session ends in this very moment
    assert await ends(driver, it) == [Done("r1.0")]
    assert tool(driver).said(it) == ["took", "did"]


Ask = Callable[[session.Session], Awaitable[object]]
ASKS: dict[str, Ask] = {
    "find_cancelled": lambda own: own.cancelled(["nobody"]),
    "unlock_places": lambda own: own.let_go(["a/place"]),
}


@pytest.mark.parametrize("query", ASKS)
async def test_who_gets_no_answer_of_the_database_in_time_gives_his_places_up(
    deployer_database: str, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    lost: list[bool] = []
    own = session.Session(deployer_database, lambda: lost.append(True))
    assert await own.cancelled(["nobody"]) == set()

    async def hangs(conn: Connection, _: Sequence[str]) -> set[str]:
        await conn.execute("select pg_sleep(600)")
        return set()

    monkeypatch.setattr(session, "SILENT_SECONDS", 0.9)
    monkeypatch.setattr(store, query, hangs)
    async with patience(10):
        found = await asyncio.gather(ASKS[query](own), own.cancelled(["me"]), return_exceptions=True)
    assert [type(each) for each in found] == [TimeoutError, TimeoutError]  # also who only waits behind him
    assert lost == [True]


async def test_nobody_begins_on_an_answer_of_a_session_that_has_ended(
    deployer_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[bool] = []
    own = session.Session(deployer_database, lambda: lost.append(True))
    lock_places = store.lock_places

    async def and_ends(conn: Connection, orders: Sequence[Order]) -> set[str]:
        await lock_places(conn, orders)
        assert isinstance(conn, asyncpg.Connection)
        conn.terminate()
        return set()

    monkeypatch.setattr(store, "lock_places", and_ends)
    with pytest.raises(ConnectionResetError):
        await own.take([order("o1")])
    assert lost == [True]


async def test_what_was_written_down_is_there_for_whoever_takes_the_order_up(make: Make) -> None:
    one, two, it = make(), make(), order("o1", does="half")
    await one.start([it])
    await until(lambda: tool(one).said(it) == ["took", "half"])
    await one.close()
    assert await ends(two, it) == [Done("half done before")]
    assert tool(two).said(it) == ["took", "half", "dropped", "took"]


async def test_revisions_are_asked_of_the_tool(make: Make) -> None:
    driver, it = make(), order("o1")
    await reach(driver, it)
    asked = [replace(it, revision="r1.0"), replace(it, revision="r9")]
    assert await driver.has_revision(asked) == [True, False]


async def test_an_order_that_was_left_unfinished_ends_when_the_next_of_its_place_begins(
    make: Make, deployer_database: str
) -> None:
    one, two = make(), make()
    left, later = order("o1", does="hangs"), order("o2")
    await one.start([left])
    await until(lambda: tool(one).said(left) == ["took"])
    await one.close()
    assert await reach(two, later) == [Done("r1.0")]
    [broken] = await two.poll([left])
    assert isinstance(broken, Broken)
    assert broken.code == "superseded"


async def test_an_order_that_waits_behind_others_ends_at_once_when_it_is_cancelled(make: Make) -> None:
    driver = make(at_once=1)
    first, second = order("o1", does="hangs"), order("o2", site="s2")
    await driver.start([first, second])
    await until(lambda: tool(driver).said(first) == ["took"])
    await driver.cancel([second])
    assert (await ends(driver, second))[0] == Broken("cancelled", "it was cancelled before it began")
    await driver.cancel([first])
    await ends(driver, first)
    assert tool(driver).said(second) == []


async def test_no_more_batches_run_than_the_tool_allows(make: Make) -> None:
    driver = make(at_once=3)
    found = await reach(driver, *(order(f"o{n}", site=f"s{n}") for n in range(40)))
    assert found == [Done("r1.0")] * 40
    assert tool(driver).most <= 3


async def test_orders_that_the_tool_takes_together_are_one_batch(make: Make) -> None:
    driver = make(at_once=3)
    found = await reach(driver, *(order(f"o{n}", site=f"s{n}", together="all") for n in range(40)))
    assert found == [Done("r1.0")] * 40
    assert tool(driver).sizes == [40]


@pytest.mark.parametrize(
    ("does", "code"), [("fails", "refused"), ("defect", "internal_error"), ("silent", "internal_error")]
)
async def test_whatever_a_tool_does_the_order_ends_with_a_reason(make: Make, does: str, code: str) -> None:
    driver, it = make(), order("o1", does=does)
    [broken] = await reach(driver, it)
    assert isinstance(broken, Broken)
    assert broken.code == code
    assert await make().poll([it]) == [broken]


async def test_what_fell_after_it_was_well_is_told_to_who_asks_again(make: Make, tmp_path: Path) -> None:
    driver, it = make(), order("o1")
    assert await reach(driver, it) == [Done("r1.0")]
    assert await ends(make(), it) == [Done("r1.0")]
    (tmp_path / "sites/s1.here").unlink()
    assert await ends(make(), it) == [Broken("fallen", "its file is gone")]
    assert await ends(driver, it) == [Done("r1.0")]  # seen a moment ago, with its own eyes
    await reach(driver, replace(it, key="o2", version="2.0"))
    assert await ends(make(), it) == [Done("r1.0")]  # that it is gone is the work of the later order


async def test_a_site_whose_look_breaks_does_not_keep_the_others_from_being_seen(make: Make) -> None:
    good, bad = order("o1"), order("o2", site="s2", looks="breaks")
    await reach(make(), good, bad)
    driver = make()
    async with patience(60):
        while not isinstance((found := await driver.poll([good, bad]))[0], Done):
            await driver.wait(0.2)
    assert isinstance(found[1], Running)


def with_value(key: str, word: str, **more: Any) -> Order:
    """One whose component has a value that is a secret."""
    it = order(key, **more)
    spec = it.component.spec.model_copy(update={"values": {"db": {"password": word}}})
    named = {"values": {"db": {"password": {"secret": "shop-db"}}}}
    return replace(it, component=replace(it.component, spec=spec, named=named))


async def test_values_of_secrets_are_kept_nowhere(make: Make, deployer_database: str) -> None:
    by_site = order("o1", password=SecretStr("correct horse"), says="logged in with correct horse")
    by_values = with_value("o2", "wrong horse", site="s2", says="printed wrong horse and left")
    found = await reach(make(), by_site, by_values)
    assert found == [Done("r1.0", "logged in with ***"), Done("r1.0", "printed *** and left")]
    [refused] = await reach(make(), with_value("o3", "horse of 3", site="s3", version="horse of 3"))
    assert isinstance(refused, Broken)
    assert refused.code == "secret_in_revision"  # a rollback could do nothing with a revision that is hidden
    conn = await asyncpg.connect(deployer_database)
    try:
        kept = [str(dict(row)) for row in await conn.fetch("select * from driver_order")]
    finally:
        await conn.close()
    assert kept
    assert not [row for row in kept if "horse" in row]
