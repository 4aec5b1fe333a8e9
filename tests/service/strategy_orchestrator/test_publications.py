"""Strategies that go to what is just being published: they wait, and then begin or end by the same rules."""

import asyncio
from typing import Any

import pytest

from shared.messages.base import Fault
from shared.messages.catalog import PublicationSettled
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CommandAccepted,
    Counts,
    CreateStrategy,
    DeleteStrategy,
    RetryFailed,
    StrategyDeleted,
    StrategyPlanned,
    StrategyStateChanged,
)
from shared.messages.words import StrategyState
from tests.service.strategy_orchestrator.fleet_of_devices import APP, publish, spec
from tests.service.strategy_orchestrator.test_left_out import accepted, codes
from tests.service.strategy_orchestrator.test_roll_out import create, orchestrated, state
from tests.support.world import World

pytestmark = pytest.mark.service

NO_CHECKSUMS = Fault(code="missing_checksums", field="checksum.md5:3", message="it has no checksums")


async def waits(world: World, name: str = "first", publication: str = "p1", **fields: object) -> str:
    """A strategy that waits for its release."""
    return await create(world, name=name, version=None, publication=publication, **fields)


async def settle(world: World, publication: str = "p1", version: str | None = "2.0", **facts: Any) -> None:
    """As the catalog tells the end of a publication."""
    event = {"publication": publication, "state": "available", "app": APP, "version": version, **facts}
    await world.send(PublicationSettled.model_validate(event), sequence=1)


async def ready(world: World, strategy_id: str) -> StrategyStateChanged:
    return await world.until(
        StrategyStateChanged, lambda e: e.strategy_id == strategy_id and e.state is StrategyState.READY
    )


async def test_what_waits_is_planned_when_its_release_is_there_and_begins_if_it_was_applied(world: World) -> None:
    async with orchestrated(world, 3) as (_, devices):
        applied, planned = await waits(world), await waits(world, "second", selection={"sites": ["s-001"]})
        told = await world.until(StrategyPlanned, lambda e: e.strategy_id == applied)
        assert (told.stages, told.spec.publication, told.spec.version) == ((), "p1", None)
        answer = await world.ask(ApplyStrategy(strategy=applied, reason="at night"))
        assert isinstance(answer, CommandAccepted)
        assert answer.result["state"] == "waiting"
        assert await codes(world, ApplyStrategy(strategy=applied)) == ["wrong_state"]

        await settle(world)
        await publish(world, "2.0")  # the two events come in any order
        ended = await state(world, applied, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=3)
        again = await world.until(StrategyPlanned, lambda e: e.strategy_id == applied and e.stages != ())
        assert (again.spec.version, again.spec.publication, again.created_at) == ("2.0", "p1", told.created_at)
        assert {command.version for command in devices.commands.values()} == {"2.0"}

        await ready(world, planned)  # nobody has applied it: it waits for that
        assert len(devices.commands) == 3
        late = await waits(world, "late", type="update")  # of what ended before nothing is waited for
        assert (await state(world, late, StrategyState.FAILED)).why.code == "nothing_to_do"


async def test_what_cannot_begin_ends_with_the_reason(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        held = await create(world, name="holder")
        await accepted(world, ApplyStrategy(strategy=held))
        strategies = {}
        for name, facts in {"rejected": {}, "other": {}, "held": {}}.items():
            strategies[name] = await waits(world, name, f"p-{name}", **facts)
            await accepted(world, ApplyStrategy(strategy=name))
        slow = await waits(world, "slow", "never", timeout_seconds=1)
        await settle(world, "p-rejected", None, state="rejected", app=None, faults=(NO_CHECKSUMS,))
        await settle(world, "p-other", "1.0", app="cart")
        await publish(world, "2.0")
        await settle(world, "p-held")

        async def why(name: str) -> tuple[str, str]:
            ended = await state(world, strategies[name], StrategyState.FAILED)
            return ended.why.code, ended.why.message

        assert await why("rejected") == ("upload_failed", "checksum.md5:3: it has no checksums")
        code, message = await why("other")
        assert (code, "'cart'" in message) == ("upload_failed", True)
        code, message = await why("held")
        assert (code, "holder" in message) == ("site_held", True)
        ended = await state(world, slow, StrategyState.FAILED)
        assert (ended.why.code, "publication never" in ended.why.message) == ("timeout", True)
        assert await codes(world, RetryFailed(strategy="slow")) == ["nothing_to_do"]

        devices.outcome = lambda _: "succeed"
        async with asyncio.timeout(20), world.news:
            await world.news.wait_for(lambda: len(devices.held) == 2)
        await devices.release()
        await state(world, held, StrategyState.COMPLETE)
        await accepted(world, RetryFailed(strategy="held"))
        await state(world, strategies["held"], StrategyState.COMPLETE)


async def test_what_waits_may_be_aborted_or_deleted_and_then_never_begins(world: World) -> None:
    async with orchestrated(world, 1) as (service, devices):
        aborted, deleted = await waits(world), await waits(world, "second")
        await accepted(world, ApplyStrategy(strategy=aborted))
        await accepted(world, AbortStrategy(strategy=aborted, reason="another day"))
        assert (await state(world, aborted, StrategyState.ABORTED)).why.message.endswith("another day")
        await accepted(world, DeleteStrategy(strategy=deleted))
        await world.until(StrategyDeleted)
        bad = spec(name="bad", publication="p1", selection={"sites": ["nowhere"]})
        assert await codes(world, CreateStrategy(spec=bad)) == ["invalid_field", "unknown_site"]
        gone = spec(name="gone", type="remove", version=None, publication="p1")
        assert await codes(world, CreateStrategy(spec=gone)) == ["invalid_field"]

        await publish(world, "2.0")
        last = await waits(world, "last")
        await accepted(world, ApplyStrategy(strategy=last))
        await settle(world)
        await state(world, last, StrategyState.COMPLETE)
        assert len(devices.commands) == 1
        assert await service.pool.fetchval("select count(*) from strategy where state = 'waiting'") == 1  # the deleted


async def test_what_was_told_while_no_orchestrator_ran_is_heard_by_the_next(world: World) -> None:
    async with orchestrated(world, 1):
        strategy_id = await waits(world)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
    await settle(world)
    await publish(world, "2.0")
    async with orchestrated(world, 0):
        await state(world, strategy_id, StrategyState.COMPLETE)


async def test_one_that_was_deleted_while_it_waited_does_not_fail_when_its_time_is_up(world: World) -> None:
    async with orchestrated(world, 1):
        gone = await waits(world, "gone", "never", timeout_seconds=1)
        await accepted(world, DeleteStrategy(strategy=gone))
        other = await waits(world, "other", "never", timeout_seconds=1)
        await state(world, other, StrategyState.FAILED)
        told = [e.state for e in world.events(StrategyStateChanged) if e.strategy_id == gone]
        assert told == [StrategyState.WAITING]
