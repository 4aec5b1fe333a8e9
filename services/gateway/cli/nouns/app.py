"""`belay app`: what is deployed, by name."""

from services.gateway.cli.noun import Noun
from services.gateway.cli.outcome import CliError, Status
from services.gateway.cli.screen import Column
from services.gateway.cli.session import Session

app = Noun("Applications: their releases and where they run.")

COLUMNS: tuple[Column, ...] = ("app", "latest", "releases", "deployments")


@app.verb("list")
def list_apps(session: Session) -> None:
    """Every app, its newest release and how many sites run it."""
    session.screen.table(session.pages("/v1/apps"), COLUMNS, "no app yet: `belay release publish` makes one")


@app.verb()
def show(session: Session, name: str) -> None:
    """One app."""
    found = next((item for item in session.pages("/v1/apps") if item["app"] == name), None)
    if found is None:
        advice = "`belay app list` shows those there are"
        raise CliError(Status.REFUSED, f"there is no app '{name}'", advice=advice, code="unknown_app")
    session.screen.card(found, COLUMNS)
