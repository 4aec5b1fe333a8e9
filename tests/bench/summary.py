"""What is said of several measurements: pure arithmetic, no clock and no processes."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """One measured number of a figure: a value a run, and the goal that its median has to reach.

    `better` says which way is better; without a goal the line is only told. `parts` are the goal in words where the
    number alone would not do.
    """

    label: str
    unit: str
    values: tuple[float, ...]
    goal: float | None = None
    better: Literal["more", "less"] = "less"

    @property
    def spread(self) -> tuple[float, float, float]:
        """Minimum, median, maximum."""
        return min(self.values), statistics.median(self.values), max(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the goal; None without a goal."""
        if self.goal is None:
            return None
        median = self.spread[1]
        return median >= self.goal if self.better == "more" else median <= self.goal

    @property
    def times_goal(self) -> float | None:
        """How many times the goal is reached: 1 is just so, 2 is twice as good. None without a goal."""
        if self.goal is None:
            return None
        median = self.spread[1]
        good, bad = (median, self.goal) if self.better == "more" else (self.goal, median)
        return good / bad if bad > 0 else math.inf


def percentile(values: Iterable[float], per_cent: float) -> float:
    """The smallest value that at least so many per cent of the values do not exceed (nearest rank).

    Raises ValueError when there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no percentile of no values")
    rank = math.ceil(len(ordered) * per_cent / 100)
    return ordered[max(rank, 1) - 1]


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each name over several mappings; a name counts where it is there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: statistics.median(row[name] for row in rows if name in row) for name in names}
