"""What drivers get of secrets, and that nobody else gets it: all topics, the whole database, all files and the log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Order, Progress
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.messages.base import CommandRejected
from shared.messages.deployer import OperationFailed, OperationSucceeded, RequestOperation
from shared.sealing import KeyPair, seal
from tests.service.deployer.fleet import APP, Fleet, deployer, ready
from tests.service.deployer.test_secrets import put
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service
CLEAR, NEWER = "correct-horse-battery", "staple-for-the-horse"
PARAMS = {"user": "ada", "password": {"secret": "oslo"}}


class Talkative(SimulatedDriver):
    """Devices that want a password, note which they were given, and print it whenever they say anything."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.given: list[tuple[str, str, str]] = []

    def before(self, _: SimulatedDriver) -> "Talkative":
        """In place of plain devices."""
        return self

    async def start(self, orders: Sequence[Order]) -> None:
        self._note("start", orders)
        await super().start(orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        self._note("poll", orders)
        return [self._printed(o, p) for o, p in zip(orders, await super().poll(orders), strict=True)]

    async def cancel(self, orders: Sequence[Order]) -> None:
        self._note("cancel", orders)
        await super().cancel(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        self._note("has_revision", orders)
        return await super().has_revision(orders)

    def _note(self, verb: str, orders: Sequence[Order]) -> None:
        self.given += [(verb, order.key, value_of(order)) for order in orders]
        assert not [order for order in orders if value_of(order) in repr(order)]

    def _printed(self, order: Order, progress: Progress) -> Progress:
        value = value_of(order)
        if isinstance(progress, Broken):
            return Broken(progress.code, f"{progress.message}: {value}", (f"login {value}", f'{{"p": "{value}"}}'))
        return progress

    def values(self, operation: str, component: str = "web") -> set[str]:
        """What a component was given in this operation."""
        return {value for _, key, value in self.given if key == f"{operation}/forward/{component}"}


def value_of(order: Order) -> str:
    password = order.connection["password"]
    assert isinstance(password, SecretStr)
    return password.get_secret_value()


async def everything(world: World) -> str:
    """All records, all rows of all schemas, all files of the home but the keys."""
    found = [repr(envelope) for envelope in world.seen] + [repr(record) for record in world.dead]
    admin = await asyncpg.connect(world.database_dsn)
    tables = await admin.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema')"
    )
    for table in tables:
        found += [str(row[0]) for row in await admin.fetch(f"select t::text from {table['name']} t")]  # noqa: S608
    await admin.close()
    assert {"deployer.secret", "deployer.operation", "deployer.outbox"} <= {table["name"] for table in tables}
    files = (path for path in world.home.rglob("*") if path.is_file() and path.suffix != ".key")
    return "\n".join([*found, *(path.read_text(errors="replace") for path in files)])


async def connected(fleet: Fleet, *sites: str, **params: Any) -> None:
    await fleet.sites(*sites, params={**PARAMS, **params})
    await fleet.known(fleet.service)


async def test_a_driver_gets_the_value_and_nobody_else_does_even_where_it_is_printed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = Talkative(world.home / "devices")
    async with ready(world, [], ["1.0", "2.0"], drive=devices.before) as fleet:
        await put(world, "oslo", CLEAR)
        await fleet.release("3.0", simulated(sites={"oslo": "fail"}))
        await connected(fleet, "oslo")
        for kind, version in (("apply", "1.0"), ("update", "2.0"), ("rollback", None)):
            assert isinstance(await fleet.do("oslo", kind, version), OperationSucceeded)
        failed = await fleet.do("oslo", "update", "3.0")
        assert isinstance(failed, OperationFailed)
        assert failed.recovered
        assert "***" in failed.cause.message
        assert any("login ***" in line for line in failed.last_lines)
        assert {verb for verb, _, _ in devices.given} >= {"start", "poll", "has_revision"}
        assert {value for _, _, value in devices.given} == {CLEAR}
        whole = await everything(world)
        assert "login ***" in whole
        assert CLEAR not in whole
    assert CLEAR not in "".join(capsys.readouterr())


async def test_a_secret_that_is_not_there_is_found_when_an_operation_is_asked_for_or_previewed(world: World) -> None:
    async with ready(world, [], ["1.0"]) as fleet:
        await fleet.sites("oslo", params={"hops": [{"key": {"secret": "hop"}}], "password": {"secret": "oslo"}})
        await fleet.known(fleet.service)
        await put(world, "hop", CLEAR)
        for preview in (False, True):
            command = RequestOperation.model_validate(
                {"site": "oslo", "app": APP, "kind": "apply", "version": "1.0", "preview": preview}
            )
            refused = await world.ask(command)
            assert isinstance(refused, CommandRejected)
            (fault,) = refused.faults
            assert (fault.code, fault.field) == ("unknown_secret", "site")
            for named in ("'oslo'", "password", "secret 'oslo'"):
                assert named in fault.message
        await put(world, "oslo", CLEAR)
        assert isinstance(await fleet.do("oslo", "apply", "1.0"), OperationSucceeded)


async def test_what_runs_keeps_the_value_it_was_begun_with_and_the_next_gets_the_new_one(world: World) -> None:
    devices = Talkative(world.home / "devices")
    async with ready(world, [], ["1.0"], drive=devices.before) as fleet:
        await put(world, "oslo", CLEAR)
        slow, short = simulated(seconds=(1.2, 1.2)), simulated("short", seconds=(0.4, 0.4))
        await fleet.release("2.0", slow, short, simulated("late", "short"))
        await connected(fleet, "oslo")
        await fleet.do("oslo", "apply", "1.0")
        update = await fleet.request("oslo", "update", "2.0")
        await fleet.begun(update)
        await put(world, "oslo", NEWER)
        assert isinstance(await fleet.end(update), OperationSucceeded)
        assert [devices.values(update, name) for name in ("web", "short", "late")] == [{CLEAR}, {CLEAR}, {NEWER}]
        after = await fleet.request("oslo", "rollback")
        await fleet.end(after)
        assert devices.values(after) == {NEWER}


async def test_one_that_was_sealed_for_another_key_pair_begins_nothing_and_says_so(world: World) -> None:
    devices = Talkative(world.home / "devices")
    async with ready(world, [], ["1.0", "2.0"], drive=devices.before) as fleet:
        await put(world, "oslo", CLEAR)
        await connected(fleet, "oslo")
        await fleet.do("oslo", "apply", "1.0")
        lost = seal(CLEAR.encode(), KeyPair.of(world.home / "elsewhere", "deployer").public)
        await fleet.service.pool.execute("update secret set sealed = $1", lost)
        failed = await fleet.do("oslo", "update", "2.0")
        assert isinstance(failed, OperationFailed)
        assert (failed.cause.code, failed.version, failed.status) == ("unreadable_secret", "1.0", "operational")
        assert [phase.name for phase in failed.phases] == ["precheck"]
        assert "set it again" in failed.cause.message
        assert fleet.running("oslo") == {"web": "1.0"}
        await put(world, "oslo", NEWER)
        assert isinstance(await fleet.do("oslo", "update", "2.0"), OperationSucceeded)


async def test_one_that_is_gone_when_its_operation_is_to_begin_leaves_the_site_alone(world: World) -> None:
    fleet = Fleet(world)
    await fleet.release("1.0")
    await fleet.sites("oslo", params=PARAMS)
    async with world.run("deployer", deployer(runs=None), "1") as service:
        await fleet.known(service)
        await put(world, "oslo", CLEAR)
        queued = await fleet.request("oslo", "apply", "1.0")
        await service.pool.execute("update secret set sealed = null")
    async with world.run("deployer", deployer(), "2"):
        failed = await fleet.end(queued)
        assert isinstance(failed, OperationFailed)
        assert (failed.cause.code, failed.status) == ("unknown_secret", "new")
        assert fleet.journal() == []
