"""How fast a peer went, and what it took."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench import costs
from tests.bench.rig import Rig


@dataclass(frozen=True, slots=True)
class Pace:
    """Sites a second, and microseconds of CPU for each, the database included."""

    rate: float
    us: float


def timed(rig: Rig, pids: Iterable[int], sites: int, work: Callable[[], None]) -> Pace:
    """The pace of `work`, which brings so many sites through in the processes named and in what runs of the rig."""
    watched = {str(pid): pid for pid in pids}
    before = costs.read(rig.home, watched)
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    return Pace(sites / seconds, costs.between(before, costs.read(rig.home, watched), {}, sites).cpu_total)
