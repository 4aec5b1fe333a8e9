"""The figures that `make bench` measures, in the order in which it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import profile, steps
from tests.bench.bench import Bench
from tests.bench.result import Result


@dataclass(frozen=True, slots=True)
class Figure:
    """A question of `BENCH=<name>`, answered by `measure(bench)`."""

    name: str
    asks: str
    measure: Callable[[Bench], Result]
    in_all: bool = True
    """Whether it belongs to a run of all figures."""


FIGURES: tuple[Figure, ...] = (
    Figure("steps", "orchestrated steps a second, 10,000 sites, 1,000 in parallel", steps.steps),
    Figure("profile", "where a step's time goes, by function and statement", profile.profile, in_all=False),
)


def chosen(names: Sequence[str]) -> tuple[Figure, ...]:
    """The figures of these names in the order of the table. Raises ValueError naming every unknown one."""
    known = [figure.name for figure in FIGURES]
    if wrong := [name for name in names if name not in known]:
        raise ValueError(f"no such figure: {', '.join(wrong)}; there are {', '.join(known)}")
    return tuple(figure for figure in FIGURES if figure.name in names)
