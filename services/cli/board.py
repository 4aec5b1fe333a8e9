"""A strategy on the screen: one line a stage, with counts, end in sight, and why it waits. Pure: time comes in."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from services.cli.planned import left_out, ways
from services.cli.screen import COLOURS, text_of

View = Mapping[str, Any]

AT_REST = frozenset({"complete", "failed", "aborted"})

BAR_WIDTH = 24


def at_rest(strategy: View) -> bool:
    """Whether the strategy has ended, well or not."""
    return strategy["state"] in AT_REST


def total(counts: Mapping[str, int]) -> int:
    """All sites of a stage or a strategy."""
    return sum(counts.values())


def board(strategy: View, now: datetime) -> RenderableType:
    """The strategy as a table of its stages."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("stage", "state", "", "done", "running", "failed", "ends in", "why"):
        table.add_column(head, header_style="dim", overflow="fold")
    for stage in strategy["stages"]:
        table.add_row(*_cells(stage, now))
    out = left_out(strategy)
    return Group(_title(strategy), table, *([Text(out, style="yellow")] if out else []))


def _title(strategy: View) -> Text:
    spec, state = strategy["spec"], strategy["state"]
    goal = spec.get("version") or ways(strategy.get("targets", [])) or spec.get("publication") or "the release before"
    target = f"{'undo' if spec.get('undo') else spec['type']} {spec['app']} → {goal}"
    title = Text.assemble((strategy["name"], "bold"), f"  {target}  ", (state, COLOURS.get(state, "bold")))
    return title.append(f"  {strategy['why']['message']}") if strategy.get("why") else title


def _cells(stage: View, now: datetime) -> Iterator[RenderableType]:
    counts = stage["counts"]
    done, sites = counts["complete"] + counts["failed"] + counts["aborted"], total(counts)
    yield Text(stage["name"])
    yield text_of(stage["state"])
    yield ProgressBar(total=max(sites, 1), completed=done, width=BAR_WIDTH)
    yield Text(f"{counts['complete']}/{sites}")
    yield Text(f"{counts['running']} of {stage['max_parallel']}")
    yield Text(str(counts["failed"]), style="red" if counts["failed"] else "dim")
    yield Text(outlook(stage, now))
    yield Text(_why(stage))


def _why(stage: View) -> str:
    return "; ".join(str(stage[key]["message"]) for key in ("why", "warning") if stage.get(key))


def outlook(stage: View, now: datetime) -> str:
    """When the monitor expects the stage to end; empty while it cannot tell."""
    return ends_in(stage.get("forecast"), now) or overdue(stage)


def recent_failures(stage: View) -> str:
    """`12.5 %`: the share of failures that the monitor saw of late; empty while it says nothing."""
    forecast = stage.get("forecast")
    return f"{100 * forecast['failure_rate']:.3g} %" if forecast else ""


def overdue(stage: View) -> str:
    """`overdue, waits for 1 site`, where a stage should have ended by now."""
    running = stage["counts"]["running"]
    if not running or not (stage.get("forecast") or {}).get("overdue"):
        return ""
    return f"overdue, waits for {running} site{'s' if running > 1 else ''}"


def ends_in(forecast: Mapping[str, Any] | None, now: datetime) -> str:
    """The monitor's range, as a time from now: "12 to 20 s"; empty while it cannot tell."""
    if not forecast or not forecast.get("eta_low") or not forecast.get("eta_high"):
        return ""
    if datetime.fromisoformat(forecast["eta_high"]) <= now:
        return ""
    low, high = (
        max(0.0, (datetime.fromisoformat(forecast[key]) - now).total_seconds()) for key in ("eta_low", "eta_high")
    )
    unit, size = ("s", 1) if high < 120 else ("min", 60)
    ends = sorted({round(low / size), round(high / size)})
    return f"{' to '.join(map(str, ends))} {unit}"


def lines(strategy: View, before: View | None) -> Iterator[str]:
    """What is new since the view before, a line each: for logs, pipes and people who read slowly."""
    old = {stage["name"]: line(stage) for stage in before["stages"]} if before else {}
    for stage in strategy["stages"]:
        if stage["state"] != "waiting" and old.get(stage["name"]) != line(stage):
            yield line(stage)
    if before is None and (out := left_out(strategy)):
        yield out
    if before is None or before["state"] != strategy["state"]:
        why = f": {strategy['why']['message']}" if strategy.get("why") else ""
        yield f"strategy {strategy['name']} {strategy['state']}{why}"


def line(stage: View) -> str:
    """One stage in one line."""
    counts = stage["counts"]
    numbers = [f"{counts['complete']}/{total(counts)} done"]
    numbers += [f"{counts[name]} {name}" for name in ("running", "failed", "aborted") if counts[name]]
    why = f" ({_why(stage)})" if _why(stage) else ""
    return f"stage {stage['name']} {stage['state']}: {', '.join(numbers)}{why}"
