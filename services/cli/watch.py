"""Looking on while Belay works: a live table on a terminal, lines elsewhere, a JSON document a view for scripts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.text import Text

from services.cli.board import at_rest, board, lines
from services.cli.errors import failed
from services.cli.feed import views
from services.cli.screen import Screen
from services.cli.session import Session, at

PATIENCE_SECONDS = 60
"""A watcher outlives a restart of the gateway."""

OPERATION_ENDED = frozenset({"succeeded", "failed"})


def watch_strategy(session: Session, strategy: str, ended_before: str | None = None) -> dict[str, Any]:
    """Show a strategy until it has ended, and return it as it ended. `ended_before`: when it did before a command."""
    session.patience = max(session.patience, PATIENCE_SECONDS)
    path = at("/v1/strategies/{}", strategy)
    fresh = partial(_ended_otherwise, ended_before)
    seen = views(session, path, at_rest, fresh=fresh, types="strategy_state_changed,stage_progressed,stage_forecast")
    return show(session.screen, seen)


def _ended_otherwise(before: str | None, strategy: dict[str, Any]) -> bool:
    return before is None or strategy["finished_at"] != before


def show(screen: Screen, seen: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show a strategy's views as they come, and return the last."""
    return show_live(screen, seen) if screen.live else show_lines(screen, seen)


def show_live(screen: Screen, seen: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One table that changes in its place."""
    from rich.live import Live  # on a terminal only

    view: dict[str, Any] = {}
    with Live(console=screen.out, auto_refresh=False, vertical_overflow="crop") as live:
        for view in seen:
            live.update(board(view, datetime.now(UTC)), refresh=True)
    return view


def show_lines(screen: Screen, seen: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A line for what changed; as JSON the whole strategy a line, whenever it changed."""
    before: dict[str, Any] | None = None
    for view in seen:
        if screen.as_json and view != before:
            screen.json(view)
        for line in lines(view, before):
            screen.note(Text(f"{datetime.now().astimezone():%H:%M:%S} {line}"))
        before = view
    return before or {}


def must_be_complete(strategy: Mapping[str, Any]) -> None:
    """Raise a failed outcome for a strategy that ended in any other way."""
    if strategy["state"] == "complete":
        return
    why = strategy["why"]["message"] if strategy.get("why") else "see its steps"
    name = strategy["name"]
    advice = (
        f"`belay strategy undo {name}` brings the sites it changed back to what each had before; "
        f"`belay strategy steps {name} --state failed` shows each failed site and its cause"
    )
    raise failed(f"strategy {strategy['name']} {strategy['state']}: {why}", advice)


def watch_operation(session: Session, operation_id: str) -> dict[str, Any]:
    """Show one operation until it has ended, and return it as it ended. Raises a failed outcome if it failed."""
    session.patience = max(session.patience, PATIENCE_SECONDS)
    path = at("/v1/operations/{}", operation_id)
    kinds = "operation_progressed,operation_succeeded,operation_failed"
    said, operation = "", dict[str, Any]()
    for operation in views(session, path, lambda view: view["state"] in OPERATION_ENDED, types=kinds):
        line = line_of(operation)
        if line != said:
            session.screen.note(Text(line))
        said = line
    if session.screen.as_json:
        session.screen.json(operation)
    if operation["state"] == "failed":
        raise failed(f"operation {operation_id} failed: {cause_of(operation)}")
    return operation


def line_of(operation: Mapping[str, Any]) -> str:
    """Where it is, in one line."""
    phase = operation.get("phase") or ""
    if phase == "upload" and operation["state"] == "running":
        phase = f"waits for publication {operation.get('publication') or ''}"  # an older gateway does not name it
    return f"{operation['site']}: {operation['kind']} {operation['state']} {phase}".rstrip()


def cause_of(operation: Mapping[str, Any]) -> str:
    """Why it failed and where the site is now, in one line."""
    cause = operation.get("cause") or {}
    if operation.get("kind") == "prestage":
        return f"{cause.get('message', 'no cause given')}; what runs on the site is as it was"
    now = "the site is back on the release it had" if operation.get("recovered") else "the site is not recovered"
    return f"{cause.get('message', 'no cause given')}; {now}"
