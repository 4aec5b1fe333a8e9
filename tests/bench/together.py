"""As many sites as may at the same instant: 5,000 by two deployers, and by the devices' own journal not one more."""

from collections.abc import Sequence

from tests.bench.bench import TWO, Bench
from tests.bench.journal import Span, marks, spans
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Wanted, roll_out
from tests.bench.summary import Line

WANTED = Wanted(6_000, parallel=5_000, seconds=(30, 30))
"""Long enough that all of them have begun before the first ends, also on a slow machine."""

IDLE_CPU_SECONDS = 0.5
"""A deployer that took no part used less meanwhile."""


def together(bench: Bench) -> Result:
    """The most sites that changed at the same instant. Raises RuntimeError when there were more than may."""
    rig = bench.rig("two replicas", TWO)
    mark, before = marks(rig), _cpu(rig)
    run = roll_out(rig, WANTED)
    most, took = most_at_once(found := spans(rig, mark)), _filled(found)
    worked = sum(used - before[name] > IDLE_CPU_SECONDS for name, used in _cpu(rig).items())
    console.print(f"[dim]{most:,} at the same instant, by {worked} deployers, after {took:.1f} s[/]")
    if most > WANTED.parallel:
        raise RuntimeError(f"{most} sites changed at the same instant, and {WANTED.parallel} may")
    lines = (
        Line("6,000 sites, 5,000 in parallel, at the same instant", "sites", (most,), WANTED.parallel, "more"),
        Line("deployers that took part", "deployers", (worked,), len(before), "more"),
        Line("from the first site to the 5,000th", "s", (took,)),
    )
    return Result(lines, (run.cost,), ("one run; each device takes 30 s, and notes itself when it began and ended",))


def most_at_once(found: Sequence[Span]) -> int:
    """How many of these spans hold the same instant, at most; one that ends as another begins is over."""
    moments = sorted([(span.began, 1) for span in found] + [(span.ended, -1) for span in found])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def _filled(found: Sequence[Span]) -> float:
    """Seconds from the first start until all slots were taken, or all had begun."""
    begun = [span.began for span in found][: WANTED.parallel]
    return begun[-1] - begun[0]


def _cpu(rig: Rig) -> dict[str, float]:
    return {name: used for name, used in rig.read().cpu.items() if name.startswith("deployer")}
