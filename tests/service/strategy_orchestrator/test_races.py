"""Two things that are asked or told at the same moment, in either order: one of them wins, and counts stay exact."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.rollout import catching_up, watching
from services.strategy_orchestrator.rollout.offline_steps import CATCH_UP
from services.strategy_orchestrator.rollout.unit_of_work import TIMEOUT
from shared.core.inbox import Rejected
from shared.core.transaction import Timer
from shared.messages.base import Message
from shared.messages.deployer import RequestOperation, RequestOperations
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    Counts,
    DeleteStrategy,
    RetryFailed,
    SkipSteps,
    StepsChanged,
)
from shared.messages.words import OperationKind, StrategyState
from shared.process.service import Service
from shared.wire.codec import Envelope
from tests.service.strategy_orchestrator.test_catching_up import offline_at_the_end
from tests.service.strategy_orchestrator.test_left_out import accepted, codes, held_back
from tests.service.strategy_orchestrator.test_once import ended, planned, started
from tests.service.strategy_orchestrator.test_roll_out import create, orchestrated, state
from tests.service.strategy_orchestrator.test_site_conditions import noted, told
from tests.support.world import World

pytestmark = pytest.mark.service


async def answered(service: Service, *messages: Message) -> list[str]:
    """Handle commands and events as one transaction; of each command its state now, or the code of its refusal."""
    said: list[str] = []
    envelopes = [Envelope(m, f"m-{n}", "/test", datetime.now(UTC)) for n, m in enumerate(messages)]
    async with service.ledger.transaction() as tx:
        assert service.prepare is not None
        await service.prepare(tx, envelopes)
        for envelope in envelopes:
            replies = await service.handlers[type(envelope.data)](tx, [envelope])
            said += [_said(reply) for reply in replies or ()]
    return said


def _said(reply: Any) -> str:
    return str(reply.faults[0].code) if isinstance(reply, Rejected) else str(reply.result.get("state", "accepted"))


async def counts(service: Service) -> Counts:
    """Of strategy `a`, as its stages say and as its steps are: both are the same."""
    names = tuple(Counts.model_fields)
    total = await service.pool.fetchrow(f"select {', '.join(f'sum({n})::int as {n}' for n in names)} from stage")  # noqa: S608
    steps = {
        row["state"]: row["count"] for row in await service.pool.fetch("select state, count(*) from step group by 1")
    }
    assert dict(total) == {name: steps.get(name, 0) for name in names}
    return Counts(**dict(total))


async def test_who_applies_second_is_told_that_it_runs(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await planned(world, service, 2)
        assert await answered(service, *[ApplyStrategy(strategy="a") for _ in range(2)]) == ["applying", "wrong_state"]
        asked = await world.until(RequestOperations)
        assert len(asked.operations) == 2
        await devices.stop()


@pytest.mark.parametrize("aborts_first", [True, False])
async def test_an_abort_against_the_last_completion(world: World, aborts_first: bool) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await started(world, service, 1)
        last: list[Message] = [AbortStrategy(strategy="a"), ended(0)]
        said = await answered(service, *(last if aborts_first else reversed(last)))
        assert said == (["aborting"] if aborts_first else ["wrong_state"])
        assert await counts(service) == Counts(complete=1)
        found = await service.pool.fetchval("select state from strategy")
        assert found == ("aborted" if aborts_first else "complete")
        assert await service.pool.fetchval("select count(*) from hold") == 0
        await devices.stop()


@pytest.mark.parametrize("deletes_first", [True, False])
async def test_a_deletion_against_its_start(world: World, deletes_first: bool) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await planned(world, service, 1)
        both: list[Message] = [DeleteStrategy(strategy="a"), ApplyStrategy(strategy="a")]
        said = await answered(service, *(both if deletes_first else reversed(both)))
        assert said[1] == ("unknown_strategy" if deletes_first else "wrong_state")
        assert await service.pool.fetchval("select count(*) from hold") == (0 if deletes_first else 1)
        await devices.stop()


@pytest.mark.parametrize("skips_first", [True, False])
async def test_a_skip_against_the_start_of_its_site(world: World, skips_first: bool) -> None:
    """Sites start once all commands of a poll are handled: a skip that came along is in time."""
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await planned(world, service, 2)
        both: list[Message] = [SkipSteps(strategy="a", sites=("s-000",)), ApplyStrategy(strategy="a")]
        await answered(service, *(both if skips_first else reversed(both)))
        assert await counts(service) == Counts(running=1, aborted=1)
        assert await answered(service, SkipSteps(strategy="a", sites=("s-001",))) == ["wrong_state"]
        assert await answered(service, SkipSteps(strategy="a", sites=("s-000",))) == ["wrong_state"]
        await devices.stop()


@pytest.mark.parametrize("ends_first", [True, False])
async def test_a_time_out_against_the_end(world: World, ends_first: bool) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await started(world, service, 1)
        timer = Timer(TIMEOUT, "a", datetime.now(UTC), {})
        async with service.ledger.transaction() as tx:
            if not ends_first:
                await watching.out_of_time(tx, [timer])
            await service.handlers[type(ended(0))](tx, [Envelope(ended(0), "m-1", "/test", datetime.now(UTC))])
            if ends_first:
                await tx.finish()
        if ends_first:
            async with service.ledger.transaction() as tx:
                await watching.out_of_time(tx, [timer])
        assert await counts(service) == Counts(complete=1)
        found = await service.pool.fetchrow("select state, why_code from strategy")
        assert found == (("complete", "complete") if ends_first else ("failed", "timeout"))
        await devices.stop()


async def test_a_retry_by_a_person_against_a_site_that_is_back(world: World) -> None:
    """Whichever comes first tries the site once; the other finds that it is tried."""
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await offline_at_the_end(world, devices)
        devices.outcome = lambda _: "hold"
        await told(world, "online", "s-001")
        await noted(service, "s-001", "online")
        await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-001",)))
        async with service.ledger.transaction() as tx:
            await catching_up.catch_up(tx, [Timer(CATCH_UP, strategy_id, datetime.now(UTC), {})])
        await held_back(world, devices, 1)
        assert await service.pool.fetchval("select round from strategy") == 2
        devices.outcome = lambda _: "succeed"
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)


async def test_a_single_prestage_against_a_strategy(world: World) -> None:
    """The strategy waits for the site without a slot, and goes on at the end of the other; what runs is as before."""
    async with orchestrated(world, 2, lambda c: "hold" if c.strategy_id is None else "succeed") as (service, devices):
        facts = {"app": "shop", "kind": OperationKind.PRESTAGE, "version": "1.0"}
        alone = await world.send(RequestOperation(site="s-000", **facts))
        await held_back(world, devices, 1)
        await operating(world, service, "s-000")
        devices.outcome = lambda c: "reject:site_busy" if alone in devices.held and c.site == "s-000" else "succeed"
        strategy_id = await create(world, type="prestage")
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await world.until(StepsChanged, lambda e: any(s.why and s.why.code == "site_busy" for s in e.steps))
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)
        assert await service.pool.fetchval("select count(*) from deployment") == 0


async def operating(world: World, service: Service, site: str) -> None:
    """Until the orchestrator knows that a single operation runs there."""
    async with world.news:
        while await service.pool.fetchval("select operation_id from site where name = $1", site) is None:
            await world.news.wait()


async def test_two_strategies_for_the_same_sites_at_once(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        first, second = [await create(world, name=name, type="prestage") for name in ("first", "second")]
        await accepted(world, ApplyStrategy(strategy=first))
        assert await codes(world, ApplyStrategy(strategy=second)) == ["site_held", "site_held"]
        await held_back(world, devices, 2)
        await devices.release()
        await state(world, first, StrategyState.COMPLETE)
        await accepted(world, ApplyStrategy(strategy=second))
        await held_back(world, devices, 2)
