"""The two tracks of a round: each fault in its time, and in the manner that was drawn for it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from tests.faults.evidence import KINDS
from tests.faults.field import Field, Missed
from tests.faults.plan import HEAVY, Planned
from tests.faults.strike import STRIKES

log = structlog.get_logger()

OVERCOME_SECONDS = 12.0
"""What strikes alone has so long to be overcome before the next heavy fault."""

NEXT_SECONDS = 5.0
"""Any other one."""

LATE_SECONDS = 10.0
"""A fault that would come later than this after the last planned one is left out."""

LONGEST_SECONDS = 60.0
"""What was begun is taken back after so long."""

LASTING = frozenset({"freeze_service", "freeze_at_point", "join_replica", "skew_clock", "stall_relay"})
"""Others may strike while these last."""


async def strike_all(field: Field, plan: Sequence[Planned]) -> None:
    """Both tracks to their end; what was done is taken back before this returns."""
    tracks = Tracks(field, max((each.at for each in plan), default=0))
    heavy = [each for each in plan if each.kind in HEAVY]
    light = [each for each in plan if each.kind not in HEAVY]
    try:
        await asyncio.gather(tracks.heavy(heavy), tracks.light(light))
        await tracks.all_over()
    finally:
        for task in tracks.under_way:
            task.cancel()
        await asyncio.gather(*tracks.under_way, return_exceptions=True)


class Tracks:
    """What is under way on both."""

    def __init__(self, field: Field, seconds: float) -> None:
        self._field = field
        self._began = time.monotonic()
        self._until = self._began + seconds + LATE_SECONDS
        self._calm = asyncio.Event()
        """Set unless a fault strikes alone just now."""
        self._calm.set()
        self.under_way: set[asyncio.Task[None]] = set()

    async def heavy(self, plan: Sequence[Planned]) -> None:
        """One after the other, but for those that strike on top of the one before."""
        struck, alone = datetime.now(UTC), False
        for planned in plan:
            await self._time_of(planned)
            if self._late(planned):
                continue
            if alone or planned.manner != "on top":
                await self._field.watch.works_again(struck, OVERCOME_SECONDS if alone else NEXT_SECONDS)
            self._calm.set()
            if alone := planned.manner == "alone" and KINDS.get(planned.kind, KINDS["kill_service"]).recovers:
                self._calm.clear()
                await self.all_over()
            struck = datetime.now(UTC)
            task = self._begin(planned)
            if planned.kind not in LASTING:
                await task
        self._calm.set()

    async def light(self, plan: Sequence[Planned]) -> None:
        """Whatever else happens, but nothing that disturbs beside what strikes alone."""
        for planned in plan:
            await self._time_of(planned)
            if self._late(planned):
                continue
            if KINDS[planned.kind].disturbs or planned.kind == "late_report":
                await self._calm.wait()
            self._begin(planned)

    def _late(self, planned: Planned) -> bool:
        """On a slow machine recoveries take so long that not all fits into the round; what is left over is missed."""
        late = time.monotonic() > self._until
        if late:
            self._field.missed.append(f"{planned.kind}: no time was left")
        return late

    async def _time_of(self, planned: Planned) -> None:
        await asyncio.sleep(max(self._began + planned.at - time.monotonic(), 0))

    def _begin(self, planned: Planned) -> asyncio.Task[None]:
        task = asyncio.create_task(strike(self._field, planned))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return task

    async def all_over(self) -> None:
        """Until nothing is under way, within bounds."""
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=LONGEST_SECONDS)


async def strike(field: Field, planned: Planned) -> None:
    """One fault; what goes wrong with it is said, and never ends the round."""
    try:
        await STRIKES[planned.kind](field, planned)
    except Missed as missed:
        field.missed.append(f"{planned.kind}: {missed}")
        log.info("missed", kind=planned.kind, why=str(missed))
    except Exception as error:
        field.problems.append(f"{planned.kind} on {planned.target} could not be done: {error!r}")
        log.exception("could not be done", kind=planned.kind)
