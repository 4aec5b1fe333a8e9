"""`belay deployment`: an app on a site."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from services.cli.noun import Noun
from services.cli.nouns import operation_options as options
from services.cli.nouns.operation import LIST, say_how
from services.cli.preview import VALUES, show_preview
from services.cli.screen import Column
from services.cli.session import Session, at
from services.cli.watch import watch_operation

app = Noun("Deployments: which release runs where, and how it is.")

COLUMNS: tuple[Column, ...] = ("site", "app", "version", "status", ("operation", "operation_id"))
HEAD: tuple[Column, ...] = ("site", "app", "version", "status", ("since", "updated_at"), ("strategy", "strategy_id"))
SECRETS: tuple[Column, ...] = (("secret", "name"), ("version deployed", "deployed"), ("version now", "now"))

Filter = str | None


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
def show(session: Session, site: options.Site, app: options.App) -> None:
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
            say_how(session, operation)


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
    site: options.Site,
    app: options.App,
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
    site: options.Site,
    app: options.App,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """All that was done to a deployment, the newest first."""
    found = session.pages(at("/v1/deployments/{}/{}/history", site, app))
    session.screen.table(islice(found, limit), LIST, "nothing is known of what was done there")


@app.verb()
def plan(
    session: Session,
    site: options.Site,
    app: options.App,
    version: options.Version = None,
    kind: Annotated[str, typer.Option(help="apply, update, rollback, recover, remove or prestage.")] = "update",
    *,
    recover: options.Recover = None,
    reset_overrides: options.ResetOverrides = None,
    reset_attributes: options.ResetAttributes = None,
    only_changes: options.OnlyChanges = None,
    timeout: options.Timeout = None,
    force: options.Force = None,
) -> None:
    """What would be done to each component, and why; which apps come first; which values would change; from where on
    nothing leads back. Nothing is done."""
    kind = "apply" if only_changes else kind
    body = options.order(
        site, app, kind, version=version, recover=recover, timeout=timeout, force=force, preview=True,
        reset_overrides=reset_overrides, reset_attributes=reset_attributes, only_changes=only_changes,
    )  # fmt: skip
    show_preview(session.screen, session.command("POST", "/v1/operations", body)["result"], kind)
