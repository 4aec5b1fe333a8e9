"""What faults are done to, and the record of them."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from tests.faults.command_client import CommandClient
from tests.faults.evidence import Fault
from tests.faults.foreign import Foreign
from tests.faults.plan import Planned
from tests.faults.processes import Process
from tests.faults.saboteur.control import Deaf, order
from tests.faults.stage import Stage
from tests.faults.watch import Watch

log = structlog.get_logger()

PATIENCE_STEPS = 80
"""Tenths of a second in which a victim has to be found."""


class Missed(Exception):
    """The fault could not be done: nothing was there to be struck."""


@dataclass
class Field:
    """What faults are done to, and the record of them."""

    stage: Stage
    watch: Watch
    foreign: Foreign
    client: CommandClient
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
            alive = [r for r in self.stage.of(planned.target) if r.pid and not r.held.locked() and not r.frozen]
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
