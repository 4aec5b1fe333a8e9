"""`make bench [BENCH=name,name] [ARGS="--runs N"]`: how fast Belay is, with everything running. See README.md."""

import argparse
import subprocess
import sys
import time
from typing import Any

from services.cli.client import ProblemError, Unreachable
from tests.bench import chart, machine, report, results
from tests.bench.bench import Bench
from tests.bench.figures import FIGURES, Figure, chosen
from tests.bench.result import as_json, broken
from tests.bench.rig import console
from tests.support.reaping import reaped

BREAKS = (RuntimeError, TimeoutError, ValueError, OSError, ProblemError, Unreachable, subprocess.SubprocessError)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    names = "\n".join(f"  {figure.name:10} {figure.asks}" for figure in FIGURES)
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.bench", epilog=f"figures:\n{names}", formatter_class=raw)
    parser.add_argument("figures", nargs="*", help="names, also separated by commas; none = all")
    parser.add_argument("--runs", type=int, default=3, help="of each figure, unless it says that it takes fewer")
    parser.add_argument("--patience", type=float, default=0, help="seconds each run may wait for a quiet machine")
    parser.add_argument("--sites", type=int, nargs="+", help="so many sites, of steps (the default then) or endurance")
    parser.add_argument("--rounds", type=int, help="so many roll-outs of endurance, one after the other")
    return parser.parse_args(arguments)


def wanted(options: argparse.Namespace) -> tuple[Figure, ...]:
    """The figures asked for. Raises ValueError when there is no such figure."""
    names = [name for part in options.figures for name in part.split(",") if name]
    if options.sites or options.rounds:
        names = names or (["steps"] if options.sites else ["endurance"])
    return chosen(names or [figure.name for figure in FIGURES if figure.in_all])


def _measured(figure: Figure, bench: Bench) -> dict[str, Any]:
    """What the figure found; one that breaks says so and leaves the others their turn."""
    try:
        return as_json(figure.measure(bench))
    except BREAKS as error:
        console.print(f"[red]{figure.name} is broken off:[/] {error}")
        bench.abandon(error)
        return broken(error)


def measure(figures: tuple[Figure, ...], bench: Bench) -> dict[str, Any]:
    """The figures, one after the other; what was measured before a failure is kept and shown."""
    found: dict[str, Any] = {"machine": machine.facts(), "figures": {}}
    try:
        with bench:
            for figure in figures:
                console.print(f"[bold]{figure.name}[/]: {figure.asks}")
                begun = time.monotonic()
                found["figures"][figure.name] = _measured(figure, bench) | machine.moment(begun)
                if bench.as_told:
                    results.keep(found)
    finally:
        report.show(console, found)
    return found


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        figures = wanted(options)
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sizes = tuple(options.sites) if options.sites else None
    bench = Bench(options.runs, sizes, options.rounds, options.patience)
    with reaped():
        found = measure(figures, bench)
    if not options.figures and bench.as_told:
        console.print(f"picture: {chart.draw(results.kept())}")
    return 1 if any("broken" in figure for figure in found["figures"].values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
