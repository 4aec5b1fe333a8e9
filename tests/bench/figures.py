"""The figures that `make bench` measures, in the order in which it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import checks, endurance, fleet, http, latency, profile, race, replicas, slow, steps, together
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
    Figure("latency", "step finished to next step started, 100 in parallel", latency.latency),
    Figure("stages", "10,000 sites from start to finished, in 1 stage and in 10", steps.stages),
    Figure("slow", "devices that take 30 s ± 10 s, 2,000 in parallel, against the ideal schedule", slow.slow),
    Figure("peers", "sites a second against DBOS, procrastinate and Restate on the same machine", race.peers),
    Figure("scale", "cost of a step at 1,000, 10,000 and 100,000 sites", fleet.scale),
    Figure("plan", "from creating a strategy of 100,000 sites to its plan", fleet.plan),
    Figure("memory", "peak memory of each service at 100,000 sites", fleet.memory),
    Figure("stream", "from an event in Kafka to the open page, at 100,000 sites", fleet.fresh),
    Figure("checks", "what it costs a minute to know of 100,000 sites whether they answer", checks.checks),
    Figure("http", "1,000 commands a second over HTTP beside a running strategy", http.http),
    Figure("together", "5,000 sites at the same instant, by two deployers, and never more", together.together),
    Figure("replicas", "two replicas of deployer and orchestrator against one", replicas.replicas),
    Figure(
        "endurance",
        "a hundred roll-outs of 2,000 sites: what a step costs at the end, and what grew",
        endurance.endurance,
    ),
    Figure("profile", "where a step's time goes, by function and statement", profile.profile, in_all=False),
)


def chosen(names: Sequence[str]) -> tuple[Figure, ...]:
    """The figures of these names in the order of the table. Raises ValueError naming every unknown one."""
    known = [figure.name for figure in FIGURES]
    if wrong := [name for name in names if name not in known]:
        raise ValueError(f"no such figure: {', '.join(wrong)}; there are {', '.join(known)}")
    return tuple(figure for figure in FIGURES if figure.name in names)
