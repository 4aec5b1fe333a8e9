"""`belay operation`: one job on one site."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli.noun import Noun
from services.cli.nouns import operation_options as options
from services.cli.possible import actions
from services.cli.preview import show_plan, show_preview
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
DOING: tuple[Column, ...] = ("component", ("per cent", "percent"), ("now", "detail"))
PHASES: tuple[Column, ...] = (
    ("phase", "name"), "component", "outcome", ("began", "started_at"), ("seconds", _seconds), "detail",
)  # fmt: skip

Id = Annotated[str, typer.Argument(metavar="OPERATION", help="Its id.")]
Filter = str | None


@app.verb()
def run(
    session: Session,
    site: options.Site,
    app: options.App,
    kind: options.Kind,
    version: options.Version = None,
    *,
    publication: Annotated[
        str | None, typer.Option(help="The command that publishes the release to reach: it is waited for.")
    ] = None,
    recover: options.Recover = None,
    reset_overrides: options.ResetOverrides = None,
    reset_attributes: options.ResetAttributes = None,
    only_changes: options.OnlyChanges = None,
    timeout: options.Timeout = None,
    force: options.Force = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Do one job on one site."""
    body = options.order(
        site, app, kind, version=version, publication=publication, recover=recover, timeout=timeout, force=force,
        reset_overrides=reset_overrides, reset_attributes=reset_attributes, only_changes=only_changes,
    )  # fmt: skip
    answer = session.command("POST", "/v1/operations", body)
    if watch:
        watch_operation(session, answer["command_id"])
    else:
        session.screen.done(f"operation {answer['command_id']} is queued", answer)


@app.verb()
def preview(
    session: Session,
    site: options.Site,
    app: options.App,
    kind: options.Kind,
    version: options.Version = None,
    *,
    recover: options.Recover = None,
    reset_overrides: options.ResetOverrides = None,
    reset_attributes: options.ResetAttributes = None,
    only_changes: options.OnlyChanges = None,
    timeout: options.Timeout = None,
    force: options.Force = None,
) -> None:
    """What an operation would do to each component, and why; what changes before it; nothing is done."""
    body = options.order(
        site, app, kind, version=version, recover=recover, timeout=timeout, force=force, preview=True,
        reset_overrides=reset_overrides, reset_attributes=reset_attributes, only_changes=only_changes,
    )  # fmt: skip
    show_preview(session.screen, session.command("POST", "/v1/operations", body)["result"], kind)


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
    if not session.screen.as_json:
        say_how(session, found)


def say_how(session: Session, operation: Mapping[str, Any]) -> None:
    """The plan of an operation, what is being done, its phases, and what a failed one said last."""
    if operation["plan"]:
        session.screen.note("")
        show_plan(session.screen, operation["plan"])
    for rows, columns in ((operation.get("doing"), DOING), (operation["phases"], PHASES)):
        if rows:
            session.screen.note("")
            session.screen.table(rows, columns, "")
    if operation["state"] == "failed":
        say_last_lines(session, operation["last_lines"])


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
