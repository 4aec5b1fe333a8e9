"""`belay deployment`: an app on a site."""

from typing import Annotated

import typer

from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session

app = Noun("Deployments: which release runs where, and how it is.")

COLUMNS: tuple[Column, ...] = ("site", "app", "version", "status", ("operation", "operation_id"))

Filter = str | None


@app.verb("list")
def list_deployments(
    session: Session,
    site: Annotated[Filter, typer.Option(help="Only on this site.")] = None,
    app: Annotated[Filter, typer.Option(help="Only of this app.")] = None,
    status: Annotated[Filter, typer.Option(help="Only with this status, such as operational.")] = None,
    version: Annotated[Filter, typer.Option(help="Only of this release.")] = None,
) -> None:
    """Every deployment."""
    found = session.pages("/v1/deployments", site=site, app=app, status=status, version=version)
    session.screen.table(found, COLUMNS, "no such deployment")
