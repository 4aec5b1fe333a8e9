"""`belay site alarm`: what is wrong with sites, as people and programs say."""

from typing import Annotated

import typer

from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

SUMMARY = "Alarms of sites: raise one, clear it, see which there are"
app = Noun(f"{SUMMARY}.")

COLUMNS: tuple[Column, ...] = (
    "site", "alarm", "severity", ("affects management", "management_affecting"), "text", ("raised", "raised_at"),
    ("by", "raised_by"),
)  # fmt: skip

Site = Annotated[str, typer.Argument(help="The site.")]
Alarm = Annotated[str, typer.Argument(help="The name of the alarm, such as disk-full.")]


@app.verb("list")
def list_alarms(
    session: Session,
    site: Annotated[str | None, typer.Argument(help="Only of this site.")] = None,
    severity: Annotated[str | None, typer.Option(help="critical, major, minor or warning.")] = None,
    affecting: Annotated[
        bool | None, typer.Option("--management-affecting/--harmless", help="Whether they affect the management.")
    ] = None,
) -> None:
    """Alarms that were raised and not cleared."""
    wanted = None if affecting is None else str(affecting).lower()
    found = session.pages("/v1/alarms", site=site, severity=severity, management_affecting=wanted)
    session.screen.table(found, COLUMNS, "no alarm")


@app.verb("raise")
def raise_alarm(
    session: Session,
    site: Site,
    alarm: Alarm,
    severity: Annotated[str, typer.Option(help="critical, major, minor or warning.")] = "major",
    affecting: Annotated[
        bool,
        typer.Option("--management-affecting", help="While it lasts strategies leave the site out, unless by force."),
    ] = False,
    text: Annotated[str, typer.Option(help="What is wrong, in words.")] = "",
) -> None:
    """Raise an alarm of a site. Raised again, it is as it is said last."""
    body = {"severity": severity, "management_affecting": affecting, "text": text}
    answer = session.command("PUT", at("/v1/sites/{}/alarms/{}", site, alarm), body)
    session.screen.done(f"{site} has the alarm {alarm}", answer)


@app.verb("clear")
def clear_alarm(session: Session, site: Site, alarm: Alarm) -> None:
    """Say that what was wrong is over."""
    answer = session.command("DELETE", at("/v1/sites/{}/alarms/{}", site, alarm))
    session.screen.done(f"{site} has the alarm {alarm} no longer", answer)
