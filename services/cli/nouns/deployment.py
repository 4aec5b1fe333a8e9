"""`belay deployment`: an app on a site."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli.noun import Noun
from services.cli.nouns.operation import DOING, LIST, PHASES, PLAN, say_last_lines
from services.cli.screen import Column
from services.cli.session import Session, at
from services.cli.watch import watch_operation

app = Noun("Deployments: which release runs where, and how it is.")

COLUMNS: tuple[Column, ...] = ("site", "app", "version", "status", ("operation", "operation_id"))
HEAD: tuple[Column, ...] = ("site", "app", "version", "status", ("since", "updated_at"), ("strategy", "strategy_id"))
VALUES: tuple[Column, ...] = ("component", "path", "before", "after")
SECRETS: tuple[Column, ...] = (("secret", "name"), ("version deployed", "deployed"), ("version now", "now"))

Filter = str | None
Site = Annotated[str, typer.Argument(help="Where.")]
App = Annotated[str, typer.Argument(help="What.")]


@app.verb("list")
def list_deployments(
    session: Session,
    site: Annotated[Filter, typer.Option(help="Only on this site.")] = None,
    app: Annotated[Filter, typer.Option(help="Only of this app.")] = None,
    status: Annotated[Filter, typer.Option(help="Only with this status, such as operational.")] = None,
    version: Annotated[Filter, typer.Option(help="Only of this release.")] = None,
    secrets_changed: Annotated[
        bool, typer.Option("--secrets-changed", help="Only what runs with another version of a secret than there is.")
    ] = False,
) -> None:
    """Every deployment."""
    where = {"site": site, "app": app, "status": status, "version": version}
    found = session.pages("/v1/deployments", **where, secrets_changed="true" if secrets_changed else None)
    session.screen.table(found, COLUMNS, "no such deployment")


@app.verb()
def show(session: Session, site: Site, app: App) -> None:
    """One deployment: how it is, and the plan, phases and evidence of the operation that left it so."""
    found = session.get(at("/v1/deployments/{}/{}", site, app))
    session.screen.card(found, HEAD)
    if session.screen.as_json:
        return
    _say_changed(session, found.get("changed") or ())
    _say_rotated(session, found.get("secrets_changed") or ())
    for title, operation in (("now", found["running"]), ("last operation", found["last"])):
        if operation:
            session.screen.note(f"\n{title}:")
            session.screen.card(operation, LIST)
            _say_how(session, operation)


def _say_how(session: Session, operation: Mapping[str, Any]) -> None:
    for rows, columns in ((operation["plan"], PLAN), (operation["doing"], DOING), (operation["phases"], PHASES)):
        if rows:
            session.screen.note("")
            session.screen.table(rows, columns, "")
    if operation["state"] == "failed":
        say_last_lines(session, operation["last_lines"])


def _say_changed(session: Session, changed: Iterable[Mapping[str, Any]]) -> None:
    """What is set for it now and was not when it came; an older gateway says nothing of it."""
    rows = [{"component": one["component"], **change} for one in changed for change in one["values"]]
    rows += [{"component": one["component"], "path": said} for one in changed for said in one["attributes"]]
    if rows:
        session.screen.note("\noverrides changed since; `belay deployment reapply` carries it out:")
        session.screen.table(rows, VALUES, "")


def _say_rotated(session: Session, secrets: Iterable[Mapping[str, Any]]) -> None:
    """Secrets that were set again since it was deployed; an older gateway says nothing of them."""
    if rows := list(secrets):
        session.screen.note("\nsecrets set again since; `belay deployment reapply` carries it out:")
        session.screen.table(rows, SECRETS, "")


@app.verb()
def reapply(
    session: Session,
    site: Site,
    app: App,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Deploy what has changed of the release that runs, such as overrides and secrets; what is unchanged is left."""
    body = {"site": site, "app": app, "kind": "apply", "only_changes": True}
    answer = session.command("POST", "/v1/operations", body)
    if watch:
        watch_operation(session, answer["command_id"])
    else:
        session.screen.done(f"operation {answer['command_id']} is queued", answer)


@app.verb()
def history(
    session: Session,
    site: Site,
    app: App,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """All that was done to a deployment, the newest first."""
    found = session.pages(at("/v1/deployments/{}/{}/history", site, app))
    session.screen.table(islice(found, limit), LIST, "nothing is known of what was done there")


@app.verb()
def plan(
    session: Session,
    site: Site,
    app: App,
    version: Annotated[str | None, typer.Option(help="The release to reach.")] = None,
    kind: Annotated[str, typer.Option(help="apply, update, rollback, recover or remove.")] = "update",
    only_changes: Annotated[bool, typer.Option("--only-changes", help="Of a reapply: what has changed.")] = False,
) -> None:
    """What would be done to each component, and why; which values would change; from where on nothing leads back."""
    body = {"site": site, "app": app, "kind": kind, "preview": True} | ({"version": version} if version else {})
    body |= {"kind": "apply", "only_changes": True} if only_changes else {}
    result = session.command("POST", "/v1/operations", body)["result"]
    if session.screen.as_json:
        return session.screen.card(result, PLAN)
    session.screen.table(result["plan"], PLAN, "nothing would change")
    values = [{"component": way["component"], **change} for way in result["plan"] for change in way.get("values", ())]
    if values:
        session.screen.note("")
        session.screen.table(values, VALUES, "")
    return _say_notes(session, result)


def _say_notes(session: Session, result: Mapping[str, Any]) -> None:
    """What drivers foresee and what is to be known beforehand; an older deployer says none of it."""
    for way in result["plan"]:
        for title, lines in (("would change", way.get("changes")), ("note", way.get("notices"))):
            for line in lines or ():
                session.screen.note(Text(f"{way['component']} {title}: {line}"))
    phase = result.get("point_of_no_return")
    back = f"from {phase} on it is not turned back when it fails" if phase else "if it fails, it is turned back"
    session.screen.note(f"\n{back}")
