"""Events become stored notifications: once each, readable, bounded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier import store
from services.notifier.app import wire
from services.notifier.rules import Note
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import OperationSucceeded
from shared.messages.monitor import StrategySilent, TroubleFound, TroubleOver
from shared.messages.notifier import MarkNotificationsRead, NotificationRaised, NotificationsRead
from shared.messages.strategy import Counts, Site, SitesChanged, StrategyStateChanged, Why
from shared.messages.words import NotificationTopic, StrategyState
from tests.service.notifier.rows import come_true
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service
NOW = datetime(2026, 10, 1, tzinfo=UTC)


def ended(strategy_id: str = "s-1") -> StrategyStateChanged:
    why, counts = Why(code="complete", message="all sites are done"), Counts(complete=3)
    state = StrategyState.COMPLETE
    return StrategyStateChanged(strategy_id=strategy_id, name="spring", state=state, why=why, counts=counts, at=NOW)


def operation(number: int, strategy_id: str | None) -> OperationSucceeded:
    facts: dict[str, Any] = {"app": "web", "kind": "update", "from_version": "1", "to_version": "2", "version": "2"}
    where = {"operation_id": f"op-{number}", "site": f"site-{number}", "strategy_id": strategy_id}
    return OperationSucceeded(**where, **facts, status="operational", seconds=1)


def silent() -> StrategySilent:
    return StrategySilent(strategy_id="s-1", stage=0, silent_seconds=90, running=2, at=NOW)


async def messages(world: World, count: int) -> list[str]:
    """What people were told, once that many notifications came."""
    await world.until(NotificationRaised, lambda _: len(world.events(NotificationRaised)) >= count)
    return [event.message for event in world.events(NotificationRaised)]


async def test_an_event_that_comes_again_is_told_once(world: World) -> None:
    async with world.run("notifier", wire) as service:
        await world.send(ended(), message_id="first")
        await world.send(ended(), message_id="first")
        await messages(world, 1)
        await world.send(ended(), message_id="first")
        await world.send(ended("s-2"), message_id="second")
        assert len(await messages(world, 2)) == 2
        assert await service.pool.fetchval("select count(*) from notification") == 2


async def test_operations_of_a_strategy_pass_by_in_silence_and_single_ones_do_not(world: World) -> None:
    async with world.run("notifier", wire):
        for number in range(50):
            await world.send(operation(number, strategy_id="s-1"))
        await world.send(operation(99, strategy_id=None))
        assert await messages(world, 1) == ["The update of web on site-99 succeeded: it runs 2"]


async def test_sites_that_are_registered_together_are_told_of_together(world: World) -> None:
    for start in (0, 500):
        await world.send(SitesChanged(sites=tuple(Site(name=f"site-{n}") for n in range(start, start + 500))))
    async with world.run("notifier", wire):
        assert await messages(world, 1) == ["1,000 sites registered or changed: site-0, site-1, site-2 and others"]
    assert world.events(NotificationRaised)[0].topic is NotificationTopic.DISCOVER


async def test_a_trouble_that_was_told_to_be_over_is_told_again_when_it_comes_back(world: World) -> None:
    about = "".join(map(chr, range(0x4E00, 0x4E00 + 1_000)))  # a foreign client may have any name
    facts = {"trouble_id": "t-1", "service": "catalog", "code": "stranger_in_group", "about": about}
    found = TroubleFound(**facts, message="3 records wait", since=NOW, at=NOW)
    over = TroubleOver(**facts, found_at=NOW, at=NOW)
    for trouble in (found, found, over, found, found, over):  # read in one batch, as after a rest of the notifier
        await world.send(trouble)
    async with world.run("notifier", wire):
        await messages(world, 3)
        await world.send(found)
        await world.send(ended())
        await messages(world, 4)
    told = sorted((event.notification_id, event.message) for event in world.events(NotificationRaised))
    assert [message.partition(": ")[2][:4] for _, message in told] == ["3 re", "over", "3 re", "all "]


async def test_a_warning_is_not_repeated_in_its_quiet_time_and_speaks_again_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_QUIET_SECONDS", "3600")
    async with world.run("notifier", wire) as service:
        await world.send(ended())
        await messages(world, 1)
        await world.send(silent())
        assert "stage 1 of strategy spring" in (await messages(world, 2))[1]
        await world.send(silent())
        await world.send(ended("s-2"))
        assert len(await messages(world, 3)) == 3
        await service.pool.execute("update quiet set until = now() - interval '1 second'")
        await world.send(silent())
        assert len(await messages(world, 4)) == 4


async def test_marking_names_every_number_that_does_not_exist_and_then_marks_nothing(world: World) -> None:
    async with world.run("notifier", wire) as service:
        await world.send(ended())
        await messages(world, 1)
        answer = await world.ask(MarkNotificationsRead(ids=(1, 7, 8), inbox="mine"))
        assert isinstance(answer, CommandRejected)
        assert [fault.field for fault in answer.faults] == ["inbox", "ids.1", "ids.2"]
        assert {fault.code for fault in answer.faults} == {"unknown_inbox", "unknown_notification"}
        assert await service.pool.fetchval("select count(*) from notification where read_at is null") == 1


async def test_marking_nothing_is_a_fault(world: World) -> None:
    async with world.run("notifier", wire):
        answer = await world.ask(MarkNotificationsRead())
        assert isinstance(answer, CommandRejected)
        assert (answer.code, answer.faults[0].field) == ("missing_field", "ids")


async def test_what_is_marked_read_is_told_once_and_in_order(world: World) -> None:
    async with world.run("notifier", wire):
        for number in range(3):
            await world.send(ended(f"s-{number}"))
        await messages(world, 3)
        first = await world.ask(MarkNotificationsRead(ids=(2,)))
        second = await world.ask(MarkNotificationsRead(up_to=3))
        third = await world.ask(MarkNotificationsRead(up_to=3))
        assert all(isinstance(answer, CommandAccepted) for answer in (first, second, third))
        assert [answer.result for answer in (first, second, third)] == [{"read": 1}, {"read": 2}, {"read": 0}]
        read = [(e.data.ids, e.sequence) for e in world.seen if isinstance(e.data, NotificationsRead)]
        assert read == [((2,), 1), ((1, 3), 2)]


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", '"one"', "1.5"])
async def test_a_number_that_cannot_be_one_is_a_clear_fault(world: World, number: str) -> None:
    headers = {"ce_id": "c-1", "ce_type": MarkNotificationsRead.TYPE, "ce_specversion": "1.0", "ce_source": "/test"}
    async with world.run("notifier", wire):
        await world.send_raw("notifier.commands", f'{{"ids": [{number}]}}'.encode(), headers)
        answer = await world.answer("c-1")
        assert isinstance(answer, CommandRejected)
        assert (answer.code, answer.faults[0].field) == ("invalid_field", "ids.0")


async def test_the_history_keeps_to_its_bounds(world: World) -> None:
    async with world.run("notifier", wire) as service:
        for number in range(5):
            await world.send(ended(f"s-{number}"))
        await messages(world, 5)
        async with service.pool.acquire() as conn:
            now = datetime.now(UTC)
            assert await store.prune(conn, now, now - timedelta(days=1), keep=3, limit=1)
            assert [row["id"] for row in await conn.fetch("select id from notification order by id")] == [2, 3, 4, 5]
            assert not await store.prune(conn, now, now - timedelta(days=1), keep=3, limit=2)
            assert [row["id"] for row in await conn.fetch("select id from notification order by id")] == [3, 4, 5]
            while await store.prune(conn, now, now + timedelta(days=1), keep=3, limit=2):
                pass
            assert await conn.fetchval("select count(*) from notification") == 0


async def test_the_history_is_pruned_by_a_timer_that_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_KEEP_NOTIFICATIONS", "1")
    monkeypatch.setenv("BELAY_NOTIFIER_PRUNE_SECONDS", "0.2")
    async with world.run("notifier", wire) as service:
        await world.send(ended("s-1"))
        await world.send(ended("s-2"))
        await messages(world, 2)
        await service.pool.execute("update timer set due_at = now()")
        await world.send(ended("s-3"))
        await messages(world, 3)
        # Not by its number: a batch that is tried again leaves a gap in the numbers.
        await come_true(service, "select count(*) = 1 and bool_and(about || message like '%s-3%') from notification")


async def test_two_replicas_tell_everything_once(world: World) -> None:
    async with world.run("notifier", wire, instance="1"), world.run("notifier", wire, instance="2"):
        for number in range(10):  # more would be batched
            await world.send(ended(f"s-{number}"))
        assert len(await messages(world, 10)) == 10
    numbers = [event.notification_id for event in world.events(NotificationRaised)]
    assert len(set(numbers)) == 10


async def test_replicas_that_tell_of_two_things_at_once_never_wait_for_each_other(world: World) -> None:
    async with (
        world.run("notifier", wire) as service,
        service.pool.acquire() as one,
        service.pool.acquire() as two,
        patience(20),
    ):
        transactions = [one.transaction(), two.transaction()]
        for conn, tx in zip((one, two), transactions, strict=True):
            await tx.start()
            told = await store.put_notifications(conn, [Note(NotificationTopic.DONE, "it is done", "s-1")], NOW)
            put = await store.put_deliveries(conn, [number for number, _ in told], NOW)
            assert [name for _, name in put] == ["log"]
        for conn, tx in zip((one, two), transactions, strict=True):
            assert len((await store.admit(conn, ["log"], 4, NOW))[0]) == 1
            await tx.rollback()
