"""The monitor looks after the others from outside: what they say of themselves, and that they say nothing."""

import asyncio

import pytest

from shared.messages.monitor import TroubleFound, TroubleOver
from shared.process.health import Finding
from shared.process.runs import Runs
from shared.process.telemetry import forget
from tests.service.monitor.test_monitor import end_in_a_transaction, forecast, monitor, progress
from tests.support.neighbour import neighbour
from tests.support.patience import patience
from tests.support.probe import PATIENCE, address, until_ready
from tests.support.readiness import readiness
from tests.support.stranger import NAME, stranger
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


async def test_what_a_service_says_of_itself_is_told_once_and_so_is_its_end(world: World) -> None:
    findings = [Finding(code="outbox_stalled", message="the oldest record waits; KafkaConnectionError")]
    async with neighbour(world.home, findings), monitor(world, "1", look_seconds=0.2, trouble_seconds=2) as running:
        found = await world.until(TroubleFound, patience=PATIENCE)
        assert (found.service, found.code) == ("catalog", "outbox_stalled")
        assert "KafkaConnectionError" in found.message
        assert found.advice
        findings.clear()
        over = await world.until(TroubleOver, patience=PATIENCE)
        assert over.trouble_id == found.trouble_id
        assert len(world.events(TroubleFound)) == 1
        assert await running.end() == 0


async def test_who_does_not_answer_is_told_with_the_cause_of_its_end_and_who_stopped_is_not(world: World) -> None:
    async with neighbour(world.home, []) as settings:
        runs = Runs(world.home, "catalog", "1")
        runs.begin()
        runs.end("MemoryError: no more (store.py:7)")
    async with monitor(world, "1", look_seconds=0.2, trouble_seconds=2):
        found = await world.until(TroubleFound, patience=PATIENCE)
        assert (found.code, found.about) == ("no_answer", "catalog-1")
        assert "its last end: MemoryError: no more (store.py:7)" in found.message
        runs.begin()
        runs.end()
        forget(settings, "catalog")
        assert (await world.until(TroubleOver, patience=PATIENCE)).code == "no_answer"


async def test_what_breaks_again_and_again_inside_of_the_monitor_is_said_by_itself(world: World) -> None:
    async with monitor(world) as running:
        await until_ready(world.home, "monitor", "1")
        assert await running.end() == 0
    await end_in_a_transaction(world, f"{world.prefix}monitor-watches-v1-changelog")
    async with monitor(world, restore_seconds=1) as running:
        await running.until_said("nothing restored", 60)
        found: list[str] = []
        while not found:
            _, findings = await readiness(str(address(world.home, "monitor", "1")))
            found = [finding["message"] for finding in findings if finding["code"] == "breaks_inside"]
            assert running.process.returncode is None
        assert "nothing restored" in found[0]


async def test_a_stranger_in_its_group_is_told_and_the_monitor_goes_on_once_it_is_gone(world: World) -> None:
    own = {"look_seconds": 0.2, "trouble_seconds": 1, "restore_seconds": 10}  # faust is kept out, and begun anew
    async with stranger(world, "monitor", "strategy.events") as guest, monitor(world, **own) as running:
        found: list[str] = []
        async with patience(PATIENCE):
            while not found:
                found = await strangers_told_by_the_monitor(world)
        assert found[0].startswith(f"{NAME} at ")
        await guest.stop()
        await world.send(progress(0))
        await forecast(world, 0)
        assert await strangers_told_by_the_monitor(world) == []
        assert running.process.returncode is None


async def strangers_told_by_the_monitor(world: World) -> list[str]:
    _, findings = await readiness(str(address(world.home, "monitor", "1")))
    await asyncio.sleep(0.05)
    return [finding["message"] for finding in findings if finding["code"] == "stranger_in_group"]
