"""Secrets at their owner: set, set again, removed, refused."""

import asyncio
from typing import Any

import asyncpg
import pytest

from services.deployer.app import wire
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import DeployerKeyReported, RemoveSecret, SecretChanged, SecretRemoved, SetSecret
from shared.sealing import KeyPair, seal
from tests.service.deployer.fleet import deployer, ready
from tests.support.world import World

pytestmark = pytest.mark.service
CLEAR = "correct horse battery staple"


async def put(world: World, name: str, value: str | bytes = CLEAR, keys: KeyPair | None = None, **more: Any) -> Any:
    """The answer to a secret that was set."""
    keys = keys or KeyPair.of(world.home, "deployer")
    raw = value if isinstance(value, bytes) else value.encode()
    return await world.ask(SetSecret(name=name, sealed=seal(raw, keys.public)), **more)


async def test_a_secret_is_kept_sealed_and_its_version_rises_also_over_a_removal(world: World) -> None:
    async with ready(world, [], []) as fleet:
        for version in (1, 2):
            answer = await put(world, "oslo", f"{CLEAR} {version}", actor="ada")
            assert isinstance(answer, CommandAccepted)
            assert answer.result == {"secret": "oslo", "version": version}
        assert isinstance(await world.ask(RemoveSecret(name="oslo"), actor="bob"), CommandAccepted)
        assert (await put(world, "oslo")).result["version"] == 3
        await world.until(SecretChanged, lambda event: event.version == 3)
        told = [
            (type(e.data).__name__, e.data.by, e.sequence)
            for e in world.seen
            if isinstance(e.data, SecretChanged | SecretRemoved)
        ]
        assert told == [
            ("SecretChanged", "ada", 1), ("SecretChanged", "ada", 2), ("SecretRemoved", "bob", 3),
            ("SecretChanged", "", 4),
        ]  # fmt: skip
        rows = str(await fleet.service.pool.fetch("select * from secret"))
        assert CLEAR not in rows + str(world.seen)


async def test_a_table_takes_nothing_that_is_not_sealed(world: World) -> None:
    async with ready(world, [], []) as fleet:
        with pytest.raises(asyncpg.CheckViolationError):
            await fleet.service.pool.execute(
                "insert into secret (name, sealed, version, sequence, changed_at, changed_by)"
                " values ('a', 'hunter2', 1, 1, now(), '')"
            )


async def test_what_is_set_and_removed_in_one_batch_ends_as_it_was_asked_last(world: World) -> None:
    keys = KeyPair.of(world.home, "deployer")
    one = SetSecret(name="oslo", sealed=seal(b"value one", keys.public))
    other = SetSecret(name="oslo", sealed=seal(b"value two", keys.public))
    ids = [await world.send(command) for command in (one, RemoveSecret(name="oslo"), other)]
    async with world.run("deployer", deployer()) as service:
        answers = [await world.answer(command_id) for command_id in ids]
        assert [type(answer) for answer in answers] == [type(answers[0])] * 3
        assert answers[2].result["version"] == 2
        sealed = await service.pool.fetchval("select sealed from secret")
        assert keys.open(sealed) == b"value two"


async def test_what_cannot_be_opened_or_used_is_refused_when_it_is_set(world: World) -> None:
    other = KeyPair.of(world.home / "elsewhere", "deployer")
    async with ready(world, [], []) as fleet:
        for answer, said in (
            (await put(world, "oslo", keys=other), "deployer.pub"),
            (await put(world, "oslo", b"\xff\xfe\xfd\xfc"), "UTF-8"),
            (await put(world, "oslo", "abc"), "4 characters"),
            (await put(world, "oslo", "ab\x00cdef"), r"U+0000"),
        ):
            assert isinstance(answer, CommandRejected)
            assert [(fault.code, fault.field, fault.value) for fault in answer.faults] == [
                ("bad_secret", "sealed", None)
            ]
            assert said in answer.faults[0].message
        unknown = await world.ask(RemoveSecret(name="oslo"))
        assert isinstance(unknown, CommandRejected)
        assert unknown.code == "unknown_secret"
        assert await fleet.service.pool.fetchval("select count(*) from secret") == 0


async def test_one_that_sites_name_is_not_removed_and_the_first_hundred_are_named(world: World) -> None:
    names = [f"site-{number:03}" for number in range(123)]
    async with ready(world, [], []) as fleet:
        await put(world, "oslo")
        await fleet.sites(*names, params={"hops": [{"password": {"secret": "oslo"}}]})
        await fleet.sites("gone", params={"password": {"secret": "oslo"}})
        await fleet.forget("gone")
        await fleet.known(fleet.service)
        refused = await world.ask(RemoveSecret(name="oslo"))
        assert isinstance(refused, CommandRejected)
        assert (refused.code, refused.faults_count) == ("secret_in_use", 123)
        assert [fault.value for fault in refused.faults] == [*names[:100], 23]
        assert refused.faults[-1].message == "and 23 more"
        await fleet.sites(*names)
        await fleet.known(fleet.service)
        assert isinstance(await world.ask(RemoveSecret(name="oslo")), CommandAccepted)


async def test_replicas_that_start_together_make_one_key_and_tell_of_it(world: World) -> None:
    async with world.run("deployer", wire, "1"), world.run("deployer", wire, "2"):
        keys = KeyPair.of(world.home, "deployer")
        async with asyncio.timeout(30), world.news:
            await world.news.wait_for(lambda: len(world.events(DeployerKeyReported)) >= 2)
        assert {told.public_key for told in world.events(DeployerKeyReported)} == {keys.public}
        assert isinstance(await put(world, "oslo", keys=keys), CommandAccepted)
