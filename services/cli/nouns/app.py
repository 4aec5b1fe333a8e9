"""`belay app`: what is deployed, by name."""

from typing import Annotated

import typer

from services.cli.errors import CliError, Status
from services.cli.noun import Noun
from services.cli.nouns import app_behaviour
from services.cli.screen import Column
from services.cli.session import Session

app = Noun("Applications: their releases and where they run.")

app_behaviour.add_to(app)

COLUMNS: tuple[Column, ...] = ("app", "latest", "releases", "deployments")


Prereleases = Annotated[bool, typer.Option("--prereleases", help="Let the latest be a pre-release, too.")]


@app.verb("list")
def list_apps(session: Session, prereleases: Prereleases = False) -> None:
    """Every app, its latest release and how many sites run it."""
    pages = session.pages("/v1/apps", prereleases=prereleases or None)
    session.screen.table(pages, COLUMNS, "no app yet: `belay release publish` makes one")


@app.verb()
def show(session: Session, name: str, prereleases: Prereleases = False) -> None:
    """One app."""
    pages = session.pages("/v1/apps", prereleases=prereleases or None)
    found = next((item for item in pages if item["app"] == name), None)
    if found is None:
        advice = "`belay app list` shows those there are"
        raise CliError(Status.REFUSED, f"there is no app '{name}'", advice=advice, code="unknown_app")
    session.screen.card(found, COLUMNS)
