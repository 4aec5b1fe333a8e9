"""Work that starts by itself: timers fire once, jobs belong to one worker at a time, and zombies write nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from asyncpg import InterfaceError
from structlog.testing import capture_logs

from shared.core import scheduler
from shared.core.scheduler import Worker
from shared.core.transaction import Job, Timer, Transaction
from shared.process.service import Service
from tests.service.core.counter import wire as count
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
QUEUE = "test"


async def put(service: Service, *ids: str, delay: float = 0) -> None:
    async with service.ledger.transaction() as tx:
        await tx.put_jobs(QUEUE, [(i, {"name": i}) for i in ids], tx.now + timedelta(seconds=delay))


async def finish(service: Service, *jobs: Job) -> set[str]:
    async with service.ledger.transaction() as tx:
        return await tx.finish_jobs(QUEUE, jobs)


async def test_a_job_goes_to_one_worker_only(world: World) -> None:
    async with world.run(NAME, count) as service:
        await put(service, *(f"j-{n}" for n in range(20)))
        claims = await asyncio.gather(*(service.ledger.claim(QUEUE, f"w-{n}", 8, 10) for n in range(4)))
        ids = [job.id for claim in claims for job in claim]
        assert len(ids) == len(set(ids)) == 20


async def test_a_job_whose_lease_ran_out_goes_to_another_and_the_first_can_not_finish_it(world: World) -> None:
    async with world.run(NAME, count) as service:
        await put(service, "j")
        (first,) = await service.ledger.claim(QUEUE, "zombie", 1, 0.01)
        await asyncio.sleep(0.05)  # the lease must run out
        (second,) = await service.ledger.claim(QUEUE, "heir", 1, 10)
        assert (second.id, second.attempt) == ("j", 2)
        assert second.token > first.token
        assert await finish(service, first) == set()
        assert await service.ledger.extend(QUEUE, "zombie", [first], 10) == set()
        assert await finish(service, second) == {"j"}
        assert await finish(service, second) == set()


async def test_a_heartbeat_keeps_a_job(world: World) -> None:
    async with world.run(NAME, count) as service:
        await put(service, "j")
        (job,) = await service.ledger.claim(QUEUE, "w", 1, 0.2)
        assert await service.ledger.extend(QUEUE, "w", [job], 10) == {"j"}
        await asyncio.sleep(0.3)  # longer than the first lease
        assert await service.ledger.claim(QUEUE, "other", 1, 10) == []


async def test_a_job_that_is_given_back_waits_for_its_time(world: World) -> None:
    async with world.run(NAME, count) as service:
        await put(service, "j")
        (job,) = await service.ledger.claim(QUEUE, "w", 1, 10)
        async with service.ledger.transaction() as tx:
            assert await tx.return_jobs(QUEUE, [(job, tx.now + timedelta(hours=1))]) == {"j"}
        assert await service.ledger.claim(QUEUE, "w", 1, 10) == []
        due = await service.pool.fetchval("select min(due_at) from job")
        assert due > datetime.now(UTC) + timedelta(minutes=59)


async def test_a_worker_that_dies_in_the_middle_leaves_its_job_to_the_next(world: World) -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def hang(_: Job) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with world.run(NAME, count) as service:

        async def work(job: Job) -> None:
            assert await finish(service, job) == {"j"}
            done.set()

        await put(service, "j")
        dying = asyncio.create_task(Worker(service.ledger, QUEUE, hang, owner="a", lease_seconds=0.3).run())
        await begun.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        heir = asyncio.create_task(Worker(service.ledger, QUEUE, work, owner="b", lease_seconds=5).run())
        await asyncio.wait_for(done.wait(), 10)
        heir.cancel()
        await asyncio.gather(heir, return_exceptions=True)


async def test_who_has_finished_a_job_may_clear_up_behind_it_however_long_that_takes(world: World) -> None:
    cleared = asyncio.Event()
    async with world.run(NAME, count) as service:

        async def work(job: Job) -> None:
            assert await finish(service, job) == {"j"}
            await asyncio.sleep(0.5)  # longer than some heartbeats, which find that the job is nobody's any more
            cleared.set()

        await put(service, "j")
        worker = asyncio.create_task(Worker(service.ledger, QUEUE, work, owner="w", lease_seconds=0.3).run())
        await asyncio.wait_for(cleared.wait(), 10)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


@pytest.mark.parametrize(
    ("breaks", "said"),
    [(ValueError("broken once"), ("error", "job_broke")), (InterfaceError("cut"), ("warning", "job_retry"))],
    ids=["by-a-defect", "for-a-while"],
)
async def test_a_job_that_breaks_is_tried_again_and_blocks_no_other(
    world: World, breaks: Exception, said: tuple[str, str]
) -> None:
    tries: list[str] = []
    done = asyncio.Event()
    async with world.run(NAME, count) as service:

        async def work(job: Job) -> None:
            tries.append(job.id)
            if job.id == "bad" and job.attempt == 1:
                raise breaks
            await finish(service, job)
            if tries.count("bad") == 2:
                done.set()

        await put(service, "bad", "good")
        with capture_logs() as logs:
            worker = asyncio.create_task(Worker(service.ledger, QUEUE, work, owner="w", lease_seconds=1).run())
            await asyncio.wait_for(done.wait(), 10)
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        assert sorted(tries) == ["bad", "bad", "good"]
        assert [(line["log_level"], line["action"]) for line in logs if line.get("job") == "bad"] == [said]


async def test_a_worker_that_is_stopped_lets_quick_jobs_end_and_gives_the_others_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "WIND_UP_SECONDS", 0.5)
    begun: set[str] = set()
    both, stopped = asyncio.Event(), asyncio.Event()
    async with world.run(NAME, count) as service:

        async def work(job: Job) -> None:
            begun.add(job.id)
            if len(begun) == 2:
                both.set()
            await (stopped.wait() if job.id == "quick" else asyncio.Event().wait())
            await finish(service, job)

        await put(service, "quick", "slow")
        worker = asyncio.create_task(Worker(service.ledger, QUEUE, work, owner="w", lease_seconds=60).run())
        await asyncio.wait_for(both.wait(), 10)
        worker.cancel()
        stopped.set()
        await asyncio.gather(worker, return_exceptions=True)
        (left,) = await service.ledger.claim(QUEUE, "heir", 8, 10)
        assert (left.id, left.attempt) == ("slow", 2)


async def test_a_timer_fires_once_with_two_replicas_and_not_before_its_time(world: World) -> None:
    fired: list[tuple[str, datetime]] = []
    both = asyncio.Event()

    async def ring(_: Transaction, timers: Sequence[Timer]) -> None:
        fired.extend((timer.key, datetime.now(UTC)) for timer in timers)
        if len(fired) >= 20:
            both.set()

    async def wire(service: Service) -> None:
        await count(service)
        service.timers = {"bell": ring}

    async with world.run(NAME, wire, "1") as service, world.run(NAME, wire, "2"):
        due = datetime.now(UTC) + timedelta(seconds=0.5)
        async with service.ledger.transaction() as tx:
            for n in range(20):
                tx.set_timer("bell", f"t-{n}", due)
        await asyncio.wait_for(both.wait(), 10)
        assert sorted(key for key, _ in fired) == sorted(f"t-{n}" for n in range(20))
        assert min(at for _, at in fired) >= due


async def test_a_timer_whose_handler_breaks_off_is_still_there(world: World) -> None:
    rung = asyncio.Event()
    calls: list[int] = []

    async def ring(tx: Transaction, timers: Sequence[Timer]) -> None:
        calls.append(len(timers))
        if len(calls) == 1:
            raise TimeoutError("the database went away")  # as a lost connection would
        rung.set()

    async def wire(service: Service) -> None:
        await count(service)
        service.timers = {"bell": ring}

    async with world.run(NAME, wire) as service:
        async with service.ledger.transaction() as tx:
            tx.set_timer("bell", "t", tx.now)
        await asyncio.wait_for(rung.wait(), 10)
        assert calls == [1, 1]


async def test_a_timer_of_a_kind_that_nobody_knows_is_left_for_the_version_that_set_it(world: World) -> None:
    rung = asyncio.Event()

    async def ring(_tx: Transaction, _timers: Sequence[Timer]) -> None:
        rung.set()

    async def wire(service: Service) -> None:
        await count(service)
        service.timers = {"bell": ring}

    async with world.run(NAME, wire) as service:
        async with service.ledger.transaction() as tx:
            tx.set_timer("of-tomorrow", "t", tx.now)
            tx.set_timer("bell", "t", tx.now + timedelta(seconds=0.2))
        await asyncio.wait_for(rung.wait(), 10)
        assert await service.pool.fetchval("select count(*) from timer where kind = 'of-tomorrow'") == 1


async def test_a_timer_that_breaks_its_handler_is_put_off_and_told_and_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "PUT_OFF", timedelta(seconds=0.2))
    rung: list[str] = []

    async def ring(tx: Transaction, timers: Sequence[Timer]) -> None:
        tx.set_timer("bell", "late", tx.now + timedelta(days=1))
        if any(timer.key == "bad" for timer in timers):
            raise ValueError("no such bell")
        rung.extend(timer.key for timer in timers)

    async def wire(service: Service) -> None:
        await count(service)
        service.timers = {"bell": ring}

    async with world.run(NAME, wire, look_seconds=0.1) as service:
        async with service.ledger.transaction() as tx:
            for key in ("a", "bad", "b"):
                tx.set_timer("bell", key, tx.now, why="because")
        async with asyncio.timeout(20):
            while not (findings := service.watch.findings):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [(one.code, one.about) for one in findings] == [("breaks_inside", f"{NAME}-1")]
        assert "timer bell of bad: ValueError: no such bell" in findings[0].message
        assert sorted(rung) == ["a", "b"]
        left = await service.pool.fetch("select key, payload from timer order by key")
        assert [tuple(row) for row in left] == [("bad", {"why": "because"}), ("late", {})]


async def test_a_turn_that_fails_leaves_no_trace(world: World) -> None:
    async with world.run(NAME, count) as service:
        with pytest.raises(ValueError, match="half-way"):
            await break_half_way(service)
        assert await service.pool.fetchval("select count(*) from job") == 0
        assert await service.pool.fetchval("select count(*) from timer") == 0


async def break_half_way(service: Service) -> None:
    async with service.ledger.transaction() as tx:
        await tx.put_jobs(QUEUE, [("j", {})])
        tx.set_timer("bell", "t", tx.now)
        raise ValueError("half-way")
