"""`belay release`: versions of apps, from bundle to withdrawal."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.errors import CliError, Status, fault
from services.cli.feed import Feed, views
from services.cli.noun import Noun
from services.cli.screen import Column, size
from services.cli.session import Session, at

app = Noun("Releases: publish a bundle, look at what there is, take one out of use.")

COLUMNS: tuple[Column, ...] = (
    "app", "version", "state", ("upgrades from", "upgrades_from"),
    ("size", lambda item: size(item.get("bundle_bytes"))), ("published", "published_at"), "description",
)  # fmt: skip

Bundles = Annotated[list[Path], typer.Argument(help="Bundle files (.tar.gz).", exists=True, dir_okay=False)]
App = Annotated[str, typer.Argument(help="The app.")]
Version = Annotated[str, typer.Argument(help="The version of its release.")]


@app.verb()
def publish(session: Session, bundles: Bundles) -> None:
    """Publish the releases inside bundles, and wait until the catalog has checked each of them."""
    feed = Feed(session.url, session.token, types="release_available,release_rejected")
    found = [publish_one(session, bundle, feed) for bundle in bundles]
    if session.screen.as_json:
        session.screen.json(found)


def publish_one(session: Session, bundle: Path, feed: Feed) -> dict[str, Any]:
    """Publish one bundle and return what became of it. Raises CliError with every fault when it was rejected."""
    with session.screen.busy(f"{bundle.name}: uploading and checking"):
        sha256 = session.upload(bundle)["result"]["bundle_sha256"]
        *_, outcome = views(session, at("/v1/bundles/{}", sha256), lambda view: view["state"] != "validating", feed)
    if outcome["state"] == "rejected":
        faults = tuple(fault(**found) for found in outcome["faults"])
        message, advice = f"{bundle}: the catalog rejected this bundle", "correct them and build the bundle again"
        raise CliError(Status.FAILED, message, advice=advice, code="release_rejected", faults=faults)
    session.screen.note(f"{outcome['app']} {outcome['version']} is available")
    return outcome


@app.verb("list")
def list_releases(session: Session, app: Annotated[str | None, typer.Option(help="Only of this app.")] = None) -> None:
    """Every release."""
    session.screen.table(session.pages("/v1/releases", app=app), COLUMNS, "no release yet: `belay release publish`")


@app.verb()
def show(session: Session, app: App, version: Version) -> None:
    """One release with its components."""
    needs: tuple[Column, ...] = (("python", "requires.python"), ("platforms", "requires.platforms"))
    shown = (*COLUMNS, *needs, ("sha256", "bundle_sha256"), ("components", _components))
    session.screen.card(session.get(at("/v1/releases/{}/{}", app, version)), shown)


def _components(item: Any) -> list[str]:
    return [_component(component) for component in item.get("components", ())]


def _component(component: Any) -> str:
    after = f", after {', '.join(component['after'])}" if component["after"] else ""
    return f"{component['name']} ({component['driver']}{after})"


@app.verb()
def withdraw(
    session: Session, app: App, version: Version, reason: Annotated[str, typer.Option(help="Why, for others.")] = ""
) -> None:
    """Take a release out of use: no new operation may choose it. Sites that run it keep it."""
    answer = session.command("POST", at("/v1/releases/{}/{}/withdraw", app, version), {"reason": reason})
    session.screen.done(f"{app} {version} is withdrawn", answer)
