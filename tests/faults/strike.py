"""How each kind of fault is done to a running system. What could not be done is not counted."""

import asyncio
import json
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog

from shared.embedded import kafka, postgres
from tests.faults import foreign as foreigners
from tests.faults.door import Door
from tests.faults.evidence import Fault
from tests.faults.foreign import Foreign
from tests.faults.plan import Planned
from tests.faults.processes import Process
from tests.faults.saboteur import points
from tests.faults.saboteur.control import Deaf, order
from tests.faults.stage import Stage
from tests.faults.watch import Watch
from tests.support.bundles import bundle

log = structlog.get_logger()

SPRING_SECONDS = 5.0
"""A trap that was not sprung by then is taken back, and the process struck where it is."""

BACK_SECONDS = 60.0
ANY = "any time"
PATIENCE_STEPS = 80
REPLAYED = 200
CUT = """select count(pg_terminate_backend(pid)) from (
    select pid from pg_stat_activity where usename = $1 order by random() limit $2) as victims"""


class Missed(Exception):
    """The fault could not be done: nothing was there to be struck."""


@dataclass
class Field:
    """What faults are done to, and the record of them."""

    stage: Stage
    watch: Watch
    foreign: Foreign
    door: Door
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    passed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Service -> the points it is known to have passed."""
    guests: set[str] = field(default_factory=set)
    """Replicas that joined for a while."""

    def note(self, kind: str, target: str, at: datetime, ended: bool = False, **details: Any) -> None:
        """Count a fault."""
        ended_at = datetime.now(UTC) if ended else None
        self.faults.append(Fault(kind=kind, target=target, at=at, ended_at=ended_at, details=details))
        log.info("struck", kind=kind, target=target, at=at.isoformat(), ended=ended, **details)

    async def victim(self, planned: Planned) -> Process:
        """A replica of the service that is up and not frozen, as soon as there is one. Raises Missed."""
        for _ in range(PATIENCE_STEPS):
            alive = [replica for replica in self.stage.of(planned.target) if replica.pid and not replica.frozen]
            for replica in alive[planned.draw % len(alive) :] if alive else ():
                if await self._listens(replica):
                    return replica
            await asyncio.sleep(0.1)
        raise Missed(f"no replica of {planned.target} runs just now")

    async def _listens(self, replica: Process) -> bool:
        try:
            answer = await order(self.stage.home.root, replica.name, do="passes")
        except Deaf:
            return False
        self.passed[replica.name.rpartition("-")[0]] |= answer["passes"].keys()
        return True

    async def look_at_points(self) -> None:
        """Note the points that have been passed by now; a process that dies forgets them."""
        for replica in self.stage.replicas.values():
            if replica.pid and not replica.frozen:
                await self._listens(replica)

    async def order(self, process: Process, **what: Any) -> None:
        """Raises Missed when the process takes no orders just now."""
        try:
            await order(self.stage.home.root, process.name, **what)
        except Deaf as error:
            raise Missed(str(error)) from error


# -- processes ----------------------------------------------------------------------------------------------------


async def kill_service(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    at = datetime.now(UTC)
    victim.strike(signal.SIGKILL)
    await _back(field, victim, at, ANY)


async def kill_at_point(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    if planned.point in points.AT_START:
        await _kill_at_start(field, victim, planned)
        return
    victim.expect_death(True)
    try:
        await field.order(victim, do="trap", point=planned.point, effect="kill", passes=planned.passes)
        async with asyncio.timeout(SPRING_SECONDS):
            await victim.died.wait()
        point = planned.point
    except TimeoutError:
        point = ANY
        victim.strike(signal.SIGKILL)
    except Missed:
        victim.expect_death(False)
        raise
    await _back(field, victim, datetime.now(UTC), point)


async def _kill_at_start(field: Field, victim: Process, planned: Planned) -> None:
    """Killed twice: any time, and when it takes its partitions over again."""
    trap = {"do": "trap", "point": planned.point, "effect": "kill", "passes": 1}
    victim.first_env = {"BELAY_SABOTAGE": json.dumps([trap])}
    at = datetime.now(UTC)
    victim.strike(signal.SIGKILL)
    await asyncio.wait_for(victim.died.wait(), 5)
    field.note("kill_service", victim.name, at)
    await asyncio.wait_for(victim.up.wait(), 5)
    victim.expect_death(True)
    try:
        async with asyncio.timeout(2 * SPRING_SECONDS):
            await victim.died.wait()
    except TimeoutError:
        victim.expect_death(False)
        return
    await _back(field, victim, datetime.now(UTC), planned.point)


async def _back(field: Field, victim: Process, at: datetime, point: str) -> None:
    """A killed process is back when the next one runs; that one still has to start up."""
    await asyncio.wait_for(victim.died.wait(), 5)
    _note_at(field, "kill", victim, at, point)
    await asyncio.wait_for(victim.up.wait(), BACK_SECONDS)


def _note_at(field: Field, verb: str, victim: Process, at: datetime, point: str, **details: Any) -> None:
    """At a named point is a kind of its own."""
    if point == ANY:
        field.note(f"{verb}_service", victim.name, at, **details)
    else:
        field.note(f"{verb}_at_point", victim.name, at, point=point, **details)


async def freeze_service(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    victim.strike(signal.SIGSTOP)
    await _thaw(field, victim, planned, ANY)


async def freeze_at_point(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    await field.order(victim, do="trap", point=planned.point, effect="freeze", passes=planned.passes)
    point = planned.point
    try:
        async with asyncio.timeout(SPRING_SECONDS):
            while not victim.frozen:  # noqa: ASYNC110 - nothing tells of a stopped process
                await asyncio.sleep(0.02)
    except TimeoutError:
        point = ANY
        victim.strike(signal.SIGSTOP)
    await _thaw(field, victim, planned, point)


async def _thaw(field: Field, victim: Process, planned: Planned, point: str) -> None:
    at, pid = datetime.now(UTC), victim.pid
    try:
        await asyncio.sleep(planned.seconds)
    finally:
        if victim.pid == pid:
            victim.strike(signal.SIGCONT)
    _note_at(field, "freeze", victim, at, point, ended=True, seconds=planned.seconds)


async def join_replica(field: Field, planned: Planned) -> None:
    guest = await _join(field, planned, [])
    await asyncio.sleep(planned.seconds)
    at = datetime.now(UTC)
    if planned.draw % 2:
        await guest.stop()
        field.note("leave_replica", guest.name, at, ended=True)
    else:
        await guest.stop(signal.SIGKILL)
        field.note("kill_service", guest.name, at, stays_away=True)
    field.guests.discard(guest.name)


async def _join(field: Field, planned: Planned, orders: list[dict[str, Any]], **details: Any) -> Process:
    free = [f"{planned.target}-{n}" for n in (2, 3) if f"{planned.target}-{n}" not in field.guests]
    if not free:
        raise Missed(f"{planned.target} has all its replicas")
    guest = field.stage.replicas[free[0]]
    field.guests.add(guest.name)
    guest.first_env = {"BELAY_SABOTAGE": json.dumps(orders)} if orders else {}
    at = datetime.now(UTC)
    guest.start()
    await field.stage.ready(guest.name, BACK_SECONDS)
    field.note("join_replica", guest.name, at, ended=True, **details)
    return guest


async def skew_clock(field: Field, planned: Planned) -> None:
    """A second replica works beside the first, with a clock that is 5 s ahead or behind."""
    off = 5 if planned.draw % 2 else -5
    numbers = [n for n in (2, 3) if f"{planned.target}-{n}" not in field.guests]
    field.watch.wrong_clocks.update(f"/belay/{planned.target}/{n}" for n in numbers[:1])
    at = datetime.now(UTC)
    guest = await _join(field, planned, [{"do": "skew", "seconds": off}], skew_seconds=off)
    await asyncio.sleep(planned.seconds)
    left = datetime.now(UTC)
    await guest.stop()
    field.note("skew_clock", guest.name, at, ended=True, seconds=off)
    field.note("leave_replica", guest.name, left, ended=True)
    field.guests.discard(guest.name)


# -- servers ------------------------------------------------------------------------------------------------------


async def kill_kafka(field: Field, _planned: Planned) -> None:
    at = datetime.now(UTC)
    await _strike_server(field.stage.kafka, signal.SIGKILL)
    await kafka.ready(field.stage.bootstrap, BACK_SECONDS)
    field.note("kill_kafka", "kafka", at, ended=True)


async def stop_postgres(field: Field, _planned: Planned) -> None:
    at = datetime.now(UTC)
    await _strike_server(field.stage.postgres, signal.SIGQUIT)
    await postgres.ready(postgres.admin_dsn(field.stage.home), BACK_SECONDS)
    field.note("stop_postgres", "postgres", at, ended=True)


async def _strike_server(server: Process, number: signal.Signals) -> None:
    if not server.strike(number):
        raise Missed(f"{server.name} does not run just now")
    await asyncio.wait_for(server.died.wait(), BACK_SECONDS)
    await asyncio.wait_for(server.up.wait(), BACK_SECONDS)


async def cut_connections(field: Field, planned: Planned) -> None:
    """One connection of a service, or all of them."""
    at, most = datetime.now(UTC), 1 if planned.draw % 2 else 100
    try:
        conn = await asyncpg.connect(field.stage.dsn, timeout=3)
        try:
            cut = await conn.fetchval(CUT, f"belay_{planned.target}", most, timeout=3)
        finally:
            await conn.close(timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Missed(f"PostgreSQL is away: {error!r}") from error
    if not cut:
        raise Missed(f"{planned.target} has no connection just now")
    field.note("cut_connections", planned.target, at, connections=cut)


# -- records ------------------------------------------------------------------------------------------------------


async def foreign_record(field: Field, planned: Planned) -> None:
    at = datetime.now(UTC)
    made = foreigners.record(planned.kind, planned.target, planned.draw)
    await field.foreign.publish(planned.target, *made)
    field.note(planned.kind, planned.target, at)


async def replay_records(field: Field, planned: Planned) -> None:
    """Records from an old offset on come again, as they were."""
    past = list(field.watch.past[planned.target])
    if not past:
        raise Missed(f"nothing lies on {planned.target} yet")
    at, first = datetime.now(UTC), planned.draw % len(past)
    batch = past[first : first + 1 + planned.draw % REPLAYED]
    await field.foreign.again(planned.target, batch)
    field.note("replay_records", planned.target, at, ended=True, records=len(batch), offset=batch[0].offset)


async def window(field: Field, planned: Planned) -> None:
    """Something is wrong with all replicas of a service for a while."""
    at, struck = datetime.now(UTC), []
    what = "deaf_heartbeat" if planned.kind == "late_report" else planned.kind
    for replica in field.stage.of(planned.target):
        if replica.pid and not replica.frozen:
            await field.order(replica, do="window", what=what, seconds=planned.seconds)
            struck.append(replica.name)
    if not struck:
        raise Missed(f"no replica of {planned.target} runs just now")
    await asyncio.sleep(planned.seconds)
    for name in struck:
        field.note(planned.kind, name, at, ended=True, seconds=planned.seconds)


async def full_disk(field: Field, planned: Planned) -> None:
    """An upload meets a full disk: it is refused as a failure of ours, and taken once there is room again."""
    name = f"spare-{planned.draw:08x}"
    file = field.stage.home.root / f"{name}.tar.gz"
    manifest = f'app: {name}\nversion: "1.0.0"\ncomponents:\n  - driver: simulated\n    name: web\n'
    file.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
    victim = await field.victim(planned)
    at = datetime.now(UTC)
    await field.order(victim, do="window", what="full_disk", seconds=planned.seconds)
    try:
        status = await field.door.try_upload(file, f"{name}-full")
    except Exception as error:
        raise Missed(f"the gateway is away: {error!r}") from error
    if status:
        field.note("full_disk", victim.name, at, ended=True, seconds=planned.seconds, refused_with=status)
    await asyncio.sleep(planned.seconds)


Strike = Callable[[Field, Planned], Awaitable[None]]
STRIKES: dict[str, Strike] = {
    "kill_service": kill_service,
    "kill_at_point": kill_at_point,
    "freeze_service": freeze_service,
    "freeze_at_point": freeze_at_point,
    "join_replica": join_replica,
    "skew_clock": skew_clock,
    "kill_kafka": kill_kafka,
    "stop_postgres": stop_postgres,
    "cut_connections": cut_connections,
    "unreadable_record": foreign_record,
    "hostile_record": foreign_record,
    "replay_records": replay_records,
    "duplicate_records": window,
    "reorder_records": window,
    "stall_relay": window,
    "late_report": window,
    "full_disk": full_disk,
}
