"""A strategy that stands still says for which sites, keeps the monitor's warning, and lets people cancel what runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.rollout import unit_of_work, watching
from shared.messages.base import CommandRejected
from shared.messages.deployer import CancelOperation
from shared.messages.deployer import CommandRejected as DeployerRejected
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CommandAccepted,
    Counts,
    CreateStrategy,
    StageProgressed,
    StrategyStateChanged,
)
from shared.messages.words import StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

IN_ORDER = {"name": "all", "sites": [f"s-{n:03}" for n in range(6)]}


@asynccontextmanager
async def hung(world: World, sites: set[str], **fields: Any) -> AsyncIterator[tuple[str, Devices, Service]]:
    """A strategy over six sites, some of which never answer."""
    await publish(world)
    devices = Devices(world, lambda c: "hold" if c.site in sites else "succeed")
    async with world.run("strategy_orchestrator", wire) as service:
        await learned(service)
        await register(world, 6)
        answer = await world.ask(CreateStrategy(spec=spec(stages=[IN_ORDER], **fields)))
        assert isinstance(answer, CommandAccepted), answer
        strategy_id = str(answer.result["strategy_id"])
        await world.ask(ApplyStrategy(strategy=strategy_id))
        async with asyncio.timeout(20), world.news:
            await world.news.wait_for(lambda: len(devices.held) == len(sites))
        yield strategy_id, devices, service
    await devices.stop()


async def test_a_stage_in_which_nothing_ends_names_the_sites_that_run_longest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (unit_of_work, watching):
        monkeypatch.setattr(room, "STILL_AFTER", timedelta(seconds=2))
    async with hung(world, {"s-001"}, max_parallel=6) as (_, devices, _service):
        last = await world.until(StageProgressed, lambda e: e.counts.complete == 5)
        assert last.why is not None
        assert (last.why.code, last.why.message) == ("finishing", "waits for its last running sites: 1")
        still = await world.until(StageProgressed, lambda e: e.why is not None and e.why.code == "oldest_running")
        assert still.why is not None
        assert "running longest: s-001 since " in still.why.message
        await devices.release()
        await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.COMPLETE)


async def test_an_abort_says_for_whom_it_waits_and_running_sites_can_be_cancelled(world: World) -> None:
    async with hung(world, {"s-000", "s-001"}, max_parallel=2) as (strategy_id, devices, _):
        await world.ask(AbortStrategy(strategy=strategy_id, reason="wrong release"))
        aborting = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.ABORTING)
        assert aborting.why.message.endswith("wrong release; waits for 2 sites to end, or to be cancelled")
        one = CancelRunning(strategy=strategy_id, sites=("s-001",), reason="hangs")
        assert isinstance(await world.ask(one), CommandAccepted)
        order = await world.until(CancelOperation)
        assert (order.site, order.operation_id) == ("s-001", f"{strategy_id}.1.1")
        assert order.reason.endswith(": hangs")
        await devices.end(order.operation_id, devices.commands[order.operation_id], "fail")
        renewed = await world.until(StrategyStateChanged, lambda e: e.renewed)
        assert "waits for 1 site to end" in renewed.why.message
        assert isinstance(await world.ask(CancelRunning(strategy=strategy_id)), CommandAccepted)
        rest = await world.until(CancelOperation, lambda c: c.site == "s-000")
        await devices.end(rest.operation_id, devices.commands[rest.operation_id], "fail")
        ended = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.ABORTED)
        assert ended.counts == Counts(failed=2, aborted=4)
        refused = await world.ask(CancelRunning(strategy=strategy_id))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "nothing_runs"


async def test_a_cancellation_that_overtook_its_operation_is_sent_again(world: World) -> None:
    async with hung(world, {"s-000"}, max_parallel=1) as (strategy_id, devices, service):
        await world.ask(CancelRunning(strategy=strategy_id))
        operation = f"{strategy_id}.0.1"
        for nth in ("", ".1"):
            order = await world.until(CancelOperation, lambda _, nth=nth: f"{operation}/cancel{nth}" in sent(world))
            about = {"command_id": f"{operation}/cancel{nth}", "command_type": order.TYPE, "about": order.site}
            await world.send(DeployerRejected(**about, code="unknown_operation", faults=()))
        await world.until(CancelOperation, lambda _: f"{operation}/cancel.2" in sent(world))
        assert {order.operation_id for order in world.events(CancelOperation)} == {operation}
        await devices.release("fail")
        about["command_id"] = f"{operation}/cancel.2"
        await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.FAILED)
        await world.send(DeployerRejected(**about, code="unknown_operation", faults=()))
        async with patience(20):  # a timer is set, and looks, and finds that nothing runs
            for there in (True, False):
                while await cancels_again(service) is not there:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert len(sent(world)) == 3


async def cancels_again(service: Service) -> bool:
    return bool(await service.pool.fetchval("select exists (select from timer where kind = 'cancel')"))


def sent(world: World) -> set[str]:
    """The ids of cancellations."""
    return {envelope.id for envelope in world.seen if isinstance(envelope.data, CancelOperation)}


async def test_a_warning_of_the_monitor_is_part_of_the_stage_until_it_no_longer_holds(world: World) -> None:
    async with hung(world, {"s-000"}, max_parallel=1, on_failure={"stop_on_failure": False}) as (
        strategy_id,
        devices,
        _,
    ):
        facts: dict[str, Any] = {"strategy_id": strategy_id, "stage": 0, "at": datetime.now(UTC)}
        await world.send(StrategySilent(**facts, silent_seconds=61, running=1))
        silent = await world.until(StageProgressed, lambda e: e.warning is not None)
        assert silent.warning is not None
        assert silent.warning.message == "nothing was heard for 61 s, while 1 site runs"
        figures = {"window_seconds": 300, "finished_in_window": 5, "failed_in_window": 4, "failure_rate": 0.8}
        await world.send(FailureRateHigh(**facts, **figures))
        await world.until(StageProgressed, lambda e: e.warning is not None and e.warning.code == "failure_rate_high")
        well = StageForecast(
            **facts, **{**figures, "failed_in_window": 0, "failure_rate": 0}, eta_low=None, eta_high=None
        )
        await world.send(well)
        seen = len(world.events(StageProgressed))
        async with asyncio.timeout(20), world.news:
            await world.news.wait_for(
                lambda: (
                    world.events(StageProgressed)[-1].warning is None or len(world.events(StageProgressed)) > seen + 3
                )
            )
        assert world.events(StageProgressed)[-1].warning is None
        await devices.release()
        await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.COMPLETE)
