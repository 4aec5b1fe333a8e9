"""The shortest time in which a pool of slots can bring a list of jobs through, if handing over took no time. Pure."""

import heapq
from collections.abc import Iterable


def ideal(durations: Iterable[float], slots: int) -> float:
    """Seconds from the first start to the last end when each job, in this order, takes the slot that is free first.

    That is what a sliding pool does at its best: it knows the order, not the durations to come.
    """
    free = [0.0] * slots
    end = 0.0
    for duration in durations:
        done = heapq.heappop(free) + duration
        heapq.heappush(free, done)
        end = max(end, done)
    return end
