"""Faults of processes: killed, frozen, joining and leaving, with a wrong clock."""

import asyncio
import contextlib
import json
import signal
from datetime import UTC, datetime
from typing import Any

from tests.faults.field import Field, Missed
from tests.faults.plan import Planned
from tests.faults.processes import Process
from tests.faults.saboteur import points

SPRING_SECONDS = 5.0
"""A trap that was not sprung by then is taken back, and the process struck where it is."""

START_SECONDS = 20.0
"""Until a process that was started again has taken over what it left."""

BACK_SECONDS = 60.0
ANY = "any time"


async def kill_service(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    at = datetime.now(UTC)
    _kill(victim)
    await _back(field, victim, at, ANY)


def _kill(victim: Process) -> None:
    if not victim.strike(signal.SIGKILL):
        raise Missed(f"{victim.name} does not run just now")


async def _see(victim: Process, event: asyncio.Event, seconds: float) -> None:
    """Await what the supervisor tells of a victim."""
    if not await victim.until(event, seconds):
        raise Missed(f"{victim.name} left meanwhile")


async def kill_at_point(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    if planned.point in points.AT_START:
        async with victim.held:
            await _kill_at_start(field, victim, planned)
        return
    async with victim.held:
        point = await _kill_there(field, victim, planned)
    await _back(field, victim, datetime.now(UTC), point)


async def _kill_there(field: Field, victim: Process, planned: Planned) -> str:
    """Where it died: at the point, or any time if it did not come there soon."""
    victim.expect_death(True)
    try:
        await field.order(victim, do="trap", point=planned.point, effect="kill", passes=planned.passes)
        await _see(victim, victim.died, SPRING_SECONDS)
    except TimeoutError:
        _kill(victim)
        return ANY
    except Missed:
        victim.expect_death(False)
        raise
    return planned.point


async def _kill_at_start(field: Field, victim: Process, planned: Planned) -> None:
    """Killed twice: any time, and when it takes its partitions over again."""
    trap = {"do": "trap", "point": planned.point, "effect": "kill", "passes": 1}
    victim.first_env = {"BELAY_SABOTAGE": json.dumps([trap])}
    at = datetime.now(UTC)
    _kill(victim)
    await _see(victim, victim.died, 5)
    field.note("kill_service", victim.name, at)
    await _see(victim, victim.up, 5)
    victim.expect_death(True)
    try:
        await _see(victim, victim.died, START_SECONDS)
    except TimeoutError:
        await field.order(victim, do="untrap")
        victim.expect_death(False)
        return
    await _back(field, victim, datetime.now(UTC), planned.point)


async def _back(field: Field, victim: Process, at: datetime, point: str) -> None:
    """A killed process is back when the next one runs; that one still has to start up."""
    await _see(victim, victim.died, 5)
    _note_at(field, "kill", victim, at, point)
    await _see(victim, victim.up, BACK_SECONDS)


def _note_at(field: Field, verb: str, victim: Process, at: datetime, point: str, **details: Any) -> None:
    """At a named point is a kind of its own."""
    if point == ANY:
        field.note(f"{verb}_service", victim.name, at, **details)
    else:
        field.note(f"{verb}_at_point", victim.name, at, point=point, **details)


async def freeze_service(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    async with victim.held:
        victim.strike(signal.SIGSTOP)
        await _thaw(field, victim, planned, ANY)


async def freeze_at_point(field: Field, planned: Planned) -> None:
    victim = await field.victim(planned)
    async with victim.held:
        pid = victim.pid
        await field.order(victim, do="trap", point=planned.point, effect="freeze", passes=planned.passes)
        point = planned.point if await _froze(victim) else ANY
        if point == ANY:
            await field.order(victim, do="untrap")
            victim.strike(signal.SIGSTOP)
        if victim.pid != pid:
            raise Missed(f"{victim.name} was killed before it froze")
        await _thaw(field, victim, planned, point)


async def _froze(victim: Process) -> bool:
    """Whether a trap was sprung in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SPRING_SECONDS):
            while not victim.frozen:  # noqa: ASYNC110 - nothing tells of a stopped process
                await asyncio.sleep(0.02)
            return True
    return False


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
