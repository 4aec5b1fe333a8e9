"""The figures as tables on the terminal."""

from typing import Any

from rich.console import Console, Group
from rich.table import Table

from tests.bench.result import lines_of
from tests.bench.summary import Line

SIGNS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def show(console: Console, report: dict[str, Any]) -> None:
    """Everything that was measured."""
    console.print(figures(report), *costs(report), *sizes(report))
    for name, figure in report["figures"].items():
        for note in figure["notes"]:
            console.print(f"[dim]{name}: {note}[/]")


def figures(report: dict[str, Any]) -> Table:
    """A row for each line of each figure."""
    table = Table("figure", "measured", "goal", "min", "median", "max", "reached", title="Belay")
    for name, figure in report["figures"].items():
        for number, line in enumerate(lines_of(figure)):
            table.add_row("" if number else name, f"{line.label}, {line.unit}", goal(line), *spread(line))
        for left, reason in figure.get("left_out", {}).items():
            table.add_row("", f"{left}: left out, {reason}")
        table.add_section()
    return table


def goal(line: Line) -> str:
    """The goal with its direction."""
    if line.goal is None:
        return ""
    return f"{'≥' if line.better == 'more' else '≤'} {number(line.goal)}"


def spread(line: Line) -> tuple[str, str, str, str]:
    """Minimum, median, maximum, and whether the goal is reached."""
    low, median, high = map(number, line.spread)
    return low, median, high, SIGNS[line.reached]


def number(value: float) -> str:
    """With as many digits as anyone can use."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def costs(report: dict[str, Any]) -> list[Group]:
    """What a step cost, for each figure that says so."""
    found = {name: figure["per_step"] for name, figure in report["figures"].items() if figure["per_step"]}
    return [Group(cost_table(name, cost)) for name, cost in found.items()]


def cost_table(name: str, cost: dict[str, Any]) -> Table:
    """CPU and peak memory of each process, and what was written."""
    written = f"{cost['wal_bytes']:,.0f} B of WAL and {cost['kafka_bytes']:,.0f} B of Kafka's log a step"
    table = Table("process", "CPU, µs/step", "peak, MiB", title=f"{name}: {written}")
    for process, us in sorted(cost["cpu_us"].items(), key=lambda item: -item[1]):
        peak = cost["peak_mib"].get(process)
        table.add_row(process, f"{us:.1f}", "" if peak is None else f"{peak:.0f}")
    table.add_row("all of Belay", f"{cost['cpu_us_total']:.1f}", f"others had {cost['others_cores']:.2f} cores")
    return table


def sizes(report: dict[str, Any]) -> list[Table]:
    """What grew or did not, for each figure that says so."""
    found = {name: figure["sizes"] for name, figure in report["figures"].items() if figure.get("sizes")}
    return [size_table(name, grown) for name, grown in found.items()]


def size_table(name: str, grown: dict[str, dict[str, int]]) -> Table:
    """KiB at each moment, what is largest at the last one first."""
    moments = list(next(iter(grown.values())))
    table = Table("what", *(f"{moment}, KiB" for moment in moments), title=f"{name}: sizes")
    for what, at in sorted(grown.items(), key=lambda item: -item[1][moments[-1]]):
        table.add_row(what, *(f"{at[moment] / 1024:,.0f}" for moment in moments))
    return table
