"""`belay operation`: one job on one site."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli import spec
from services.cli.noun import Noun
from services.cli.possible import actions
from services.cli.screen import Column, size
from services.cli.session import Session, at
from services.cli.watch import watch_operation

app = Noun("Operations: one job on one site, outside of any strategy, and the history of all.")


def _seconds(phase: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(phase[key]) for key in ("started_at", "finished_at"))
    return (ended - began).total_seconds()


LIST: tuple[Column, ...] = (
    ("id", "operation_id"), "site", "app", "kind", "state", "phase", ("from", "from_version"), ("to", "to_version"),
    ("now", "version"), ("seconds", "seconds"), ("cause", "cause.message"),
)  # fmt: skip
SHOW: tuple[Column, ...] = (
    *LIST, "percent", "recovered", ("sent", lambda item: size(item.get("fetched_bytes"))), ("strategy", "strategy_id"),
    "publication", ("by itself because", "because.message"), ("requested", "requested_at"), ("finished", "finished_at"),
    ("you may", actions),
)  # fmt: skip
PLAN: tuple[Column, ...] = ("component", "action", "reason", "revision")
DOING: tuple[Column, ...] = ("component", ("per cent", "percent"), ("now", "detail"))
PHASES: tuple[Column, ...] = (
    ("phase", "name"), "component", "outcome", ("began", "started_at"), ("seconds", _seconds), "detail",
)  # fmt: skip

Id = Annotated[str, typer.Argument(metavar="OPERATION", help="Its id.")]
Site = Annotated[str, typer.Argument(help="Where.")]
App = Annotated[str, typer.Argument(help="What.")]
Kind = Annotated[str, typer.Argument(help="apply, update, rollback, recover, remove or prestage.")]
Version = Annotated[str | None, typer.Option(help="The release to reach.")]
Filter = str | None


@app.verb()
def run(
    session: Session,
    site: Site,
    app: App,
    kind: Kind,
    version: Version = None,
    *,
    publication: Annotated[
        str | None, typer.Option(help="The command that publishes the release to reach: it is waited for.")
    ] = None,
    recover: Annotated[
        str | None, typer.Option(help="What becomes of it when it fails: always turned back, or never.")
    ] = None,
    reset_overrides: Annotated[
        bool | None, typer.Option(help="Drop the values set for the site alone.", show_default="as the release says")
    ] = None,
    reset_attributes: Annotated[
        bool | None, typer.Option(help="Drop what is switched for the site alone.", show_default="as the release says")
    ] = None,
    only_changes: Annotated[bool, typer.Option("--only-changes", help="apply: leave what is unchanged.")] = False,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="It ends by then: 90s, 5m, 2h.")] = None,
    force: Annotated[bool, typer.Option("--force", help="prestage: in spite of alarms.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Do one job on one site."""
    body = _order(site, app, kind, version) | _given("timeout_seconds", spec.seconds(timeout, "--timeout"))
    body |= _given("force", force or None) | _given("publication", publication) | _given("recover", recover)
    body |= _given("reset_overrides", reset_overrides) | _given("reset_attributes", reset_attributes)
    body |= _given("only_changes", only_changes or None)
    answer = session.command("POST", "/v1/operations", body)
    if watch:
        watch_operation(session, answer["command_id"])
    else:
        session.screen.done(f"operation {answer['command_id']} is queued", answer)


@app.verb()
def preview(session: Session, site: Site, app: App, kind: Kind, version: Version = None) -> None:
    """What an operation would do to each component, and why; nothing is done."""
    answer = session.command("POST", "/v1/operations", _order(site, app, kind, version) | {"preview": True})
    plan = answer["result"]["plan"]
    session.screen.table(plan, PLAN, "nothing would change")
    for way in () if session.screen.as_json else plan:
        _say_changes(session, way)


def _say_changes(session: Session, way: Mapping[str, Any]) -> None:
    """What the driver foresees; an older deployer says nothing of it."""
    if changes := way.get("changes"):
        session.screen.note(f"\n{way['component']} would change:")
        for line in changes:
            session.screen.note(Text(f"  {line}"))


def _order(site: str, app: str, kind: str, version: str | None) -> dict[str, Any]:
    return {"site": site, "app": app, "kind": kind} | _given("version", version)


def _given(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: value}


@app.verb("list")
def list_operations(
    session: Session,
    site: Annotated[Filter, typer.Option(help="Only on this site.")] = None,
    app: Annotated[Filter, typer.Option(help="Only of this app.")] = None,
    state: Annotated[Filter, typer.Option(help="queued, running, succeeded or failed.")] = None,
    strategy: Annotated[Filter, typer.Option(help="Only of this strategy.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """Operations, the newest first."""
    found = session.pages("/v1/operations", site=site, app=app, state=state, strategy=strategy)
    session.screen.table(islice(found, limit), LIST, "no such operation")


@app.verb()
def show(session: Session, operation: Id) -> None:
    """One operation: its cause, its plan, what is being done, its phases and times, and what a failed one said last."""
    found = session.get(at("/v1/operations/{}", operation))
    session.screen.card(found, SHOW)
    if session.screen.as_json:
        return
    for rows, columns in ((found["plan"], PLAN), (found.get("doing"), DOING), (found["phases"], PHASES)):
        if rows:
            session.screen.note("")
            session.screen.table(rows, columns, "")
    if found["state"] == "failed":
        say_last_lines(session, found["last_lines"])


def say_last_lines(session: Session, lines: list[str]) -> None:
    """What a failed operation left to learn from."""
    session.screen.note("\nlast lines:" if lines else "\nthe components said nothing")
    for line in lines:
        session.screen.note(Text(f"  {line}"))


@app.verb()
def cancel(session: Session, operation: Id, reason: Annotated[str, typer.Option(help="Why.")] = "") -> None:
    """Stop it at the next safe point and recover the site to the release it had."""
    answer = session.command("POST", at("/v1/operations/{}/cancel", operation), {"reason": reason})
    session.screen.done(f"operation {operation} is being cancelled", answer)
