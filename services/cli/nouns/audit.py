"""`belay audit`: who did what, when, and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session

app = Noun("Audit: every command, who sent it, when, and how it was answered.")


def _did(entry: Mapping[str, Any]) -> str:
    """`belay.strategy.abort_strategy.v1` -> `abort strategy`; what the gateway did itself stands as it is."""
    parts = entry["action"].split(".")
    return str(parts[2] if len(parts) == 4 else entry["action"]).replace("_", " ")


def _result(entry: Mapping[str, Any]) -> str:
    code = next((fault["code"] for fault in entry.get("faults") or ()), "")
    return f"{entry['result']}: {code}" if code else str(entry["result"])


COLUMNS: tuple[Column, ...] = ("at", ("who", "actor"), ("did", _did), ("to", "about"), ("result", _result))
"""Narrow enough for a line a command on 100 columns; ids, roles and bodies are in --json."""

Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="Local time.")
]


@app.verb("list")
def list_commands(
    session: Session,
    actor: Annotated[str | None, typer.Option(help="Only what this token's holder did.")] = None,
    about: Annotated[str | None, typer.Option(help="Part of a name: strategy, site, app, path …")] = None,
    action: Annotated[str | None, typer.Option(help="Part of what was done: abort, register_sites …")] = None,
    result: Annotated[str | None, typer.Option(help="sent, accepted, rejected or done.")] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """Who did what to what, and what came of it; the newest first, a line each."""
    did = action and action.replace(" ", "_")
    asked: dict[str, Any] = {"actor": actor, "about": about, "action": did, "result": result}
    asked |= {name: when and when.astimezone().isoformat() for name, when in (("since", since), ("until", until))}
    found = session.pages("/v1/audit", **{name: value for name, value in asked.items() if value is not None})
    session.screen.table(islice(found, limit), COLUMNS, "no such command yet")
