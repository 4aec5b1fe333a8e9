"""What is planned for an app on a site: one view of the answer to a preview, and of the plan that an operation kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from services.cli.screen import Column

if TYPE_CHECKING:
    from services.cli.screen import Screen

Ways = Sequence[Mapping[str, Any]]

PLAN: tuple[Column, ...] = ("component", "action", "reason", "revision")
VALUES: tuple[Column, ...] = ("component", "path", "before", "after")


def show_preview(screen: Screen, result: Mapping[str, Any], kind: str) -> None:
    """All that an operation of the kind would do, or the answer as JSON; an older deployer says less of it."""
    if screen.as_json:
        return screen.json(result)
    for line in _first(result):
        screen.note(Text(line))
    if result["plan"]:
        show_plan(screen, result["plan"])
    else:
        screen.note("nothing would change")
    for line in result.get("notices", ()):
        screen.note(Text(f"note: {line}"))
    return screen.note(f"\n{_when_it_fails(result, kind)}")


def show_plan(screen: Screen, plan: Ways) -> None:
    """Each component's way and why, which of its values change, and what is worth knowing beside it."""
    screen.table(plan, PLAN, "")
    if values := list(_values(plan)):
        screen.note("")
        screen.table(values, VALUES, "")
    for line in _beside(plan):
        screen.note(Text(line))


def _first(result: Mapping[str, Any]) -> Iterator[str]:
    """Other apps that are changed as well must not come as a surprise: they stand above all else."""
    if first := result.get("first"):
        yield "changed first, in this order, because it needs them:"
        yield from (f"  {number}. {one['app']} to {one['version']}" for number, one in enumerate(first, start=1))
        yield ""


def _values(plan: Ways) -> Iterator[dict[str, Any]]:
    for way in plan:
        for change in way.get("values", ()):
            yield {"component": way["component"], **change}


def _beside(plan: Ways) -> Iterator[str]:
    for way in plan:
        yield from (f"{way['component']} note: {line}" for line in way.get("notices", ()))
        if changes := way.get("changes"):
            yield f"{way['component']} would change:"
            yield from (f"  {line}" for line in changes)


def _when_it_fails(result: Mapping[str, Any], kind: str) -> str:
    if kind == "prestage":
        return "what runs stays as it is, however it ends"
    phase = result.get("point_of_no_return")
    return f"from {phase} on it is not turned back when it fails" if phase else "if it fails, it is turned back"
