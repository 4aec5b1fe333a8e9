"""What one process has been ordered to suffer: to die or freeze at a point, or to be wrong for a while."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.saboteur.points import POINTS, WINDOWS

SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


@dataclass(slots=True)
class Trap:
    """Springs at the `passes`-th pass of its point."""

    effect: str
    passes: int


@dataclass(slots=True)
class Sabotage:
    """The orders of this process. Written by the thread that listens, read by the one that works."""

    skew: Callable[[float], None]
    passes: Counter[str] = field(default_factory=Counter)
    traps: dict[str, Trap] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order; the answer says what was wrong with it, or how often each point was passed."""
        match order:
            case {"do": "trap", "point": point, "effect": effect, "passes": int(passes)} if (
                point in POINTS and effect in SIGNALS
            ):
                self.traps[point] = Trap(effect, passes)
            case {"do": "untrap"}:
                self.traps.clear()
            case {"do": "window", "what": what, "seconds": seconds} if what in WINDOWS:
                self.until[what] = time.monotonic() + float(seconds)
            case {"do": "skew", "seconds": seconds}:
                self.skew(float(seconds))
            case {"do": "passes"}:
                pass
            case _:
                return {"refused": order}
        return {"passes": dict(self.passes)}

    def passed(self, point: str) -> None:
        """A point was passed: die or freeze if that was ordered."""
        self.passes[point] += 1
        trap = self.traps.get(point)
        if trap is None:
            return
        trap.passes -= 1
        if trap.passes <= 0:
            del self.traps[point]
            os.kill(os.getpid(), SIGNALS[trap.effect])

    def on(self, what: str) -> bool:
        """Whether this is wrong now."""
        return time.monotonic() < self.until.get(what, 0.0)

    async def while_on(self, what: str) -> None:
        """Wait until it is right again."""
        while self.on(what):  # noqa: ASYNC110 - the thread that takes orders has no loop to wake
            await asyncio.sleep(0.05)
