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

PREPARATION: tuple[Column, ...] = (
    ("prepared", "preparation.state"),
    ("content", lambda item: _content(item.get("preparation"))),
    ("why", lambda item: _why(item.get("preparation"))),
)
ITEMS: tuple[Column, ...] = (
    "component", "kind", "name", ("size", lambda item: size(item["bytes"])), "platform", "sha256",
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
    """One release with its components, and what was prepared of it."""
    needs: tuple[Column, ...] = (("python", "requires.python"), ("platforms", "requires.platforms"))
    shown = (*COLUMNS, *needs, *PREPARATION, ("sha256", "bundle_sha256"), ("components", _components))
    session.screen.card(session.get(at("/v1/releases/{}/{}", app, version)), shown)


@app.verb()
def prepare(
    session: Session,
    app: App,
    version: Version,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Have what a release brings to sites ready, once for all of them. One that failed is tried again."""
    answer = session.command("POST", at("/v1/releases/{}/{}/prepare", app, version), {})
    if not watch:
        return session.screen.done(f"{app} {version} is {answer['result']['state']}", answer)
    with session.screen.busy(f"{app} {version}: fetching what it brings to sites"):
        *_, release = views(session, at("/v1/releases/{}/{}", app, version), _is_settled, types=PREPARATION_NEWS)
    session.screen.card(release, ("app", "version", *PREPARATION))
    if release["preparation"]["state"] == "failed":
        cause = release["preparation"]["cause"]
        raise CliError(Status.FAILED, f"{app} {version}: {cause['message']}", code=cause["code"])
    return None


PREPARATION_NEWS = "preparation_begun,release_prepared,preparation_failed"


def _is_settled(release: dict[str, Any]) -> bool:
    return bool(release["preparation"]) and release["preparation"]["state"] != "preparing"


@app.verb()
def content(session: Session, app: App, version: Version) -> None:
    """What a release brings to sites, as it was prepared: packages and images with their sizes and digests."""
    found = session.get(at("/v1/releases/{}/{}/content", app, version))
    for note in found["notes"]:
        session.screen.note(f"{note['component']}: {note['text']}")
    session.screen.table(found["items"], ITEMS, f"nothing was prepared: `belay release prepare {app} {version}`")


def _content(preparation: Any) -> str:
    if not preparation or preparation["state"] != "prepared":
        return ""
    items = preparation["items"]
    return f"{size(preparation['site_bytes'])} in {items} item{'' if items == 1 else 's'}"


def _why(preparation: Any) -> list[str]:
    if not preparation:
        return []
    cause = [preparation["cause"]["message"]] if preparation["cause"] else []
    return [*cause, *(f"{note['component']}: {note['text']}" for note in preparation["notes"])]


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
