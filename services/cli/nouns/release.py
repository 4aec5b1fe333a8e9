"""`belay release`: versions of apps, from bundle to withdrawal."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.errors import CliError, Status, fault, usage
from services.cli.feed import Feed, views
from services.cli.noun import Noun
from services.cli.publication_words import how_far
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

Sources = Annotated[
    list[str],
    typer.Argument(
        help="Bundle files (.tar.gz), or where bundles lie: https://…, oci://REGISTRY/REPOSITORY@sha256:… (or :TAG), "
        "sha256:… of what is in the blob store."
    ),
]
App = Annotated[str, typer.Argument(help="The app.")]
Version = Annotated[str, typer.Argument(help="The version of its release.")]

ELSEWHERE = ("https://", "http://", "oci://", "sha256:")
NEWS = "bundle_progressed,publication_settled"


@app.verb()
def publish(
    session: Session,
    bundles: Sources,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the app, where the bundle does not say it.")] = "",
    version: Annotated[str, typer.Option("--version", "-v", help="Its version, likewise.")] = "",
    sha256: Annotated[str, typer.Option(help="What a bundle from elsewhere must be.")] = "",
) -> None:
    """Publish the releases inside bundles, and wait until the catalog has checked each of them.

    A file goes on where an interrupted command had stopped; what lies elsewhere is fetched by the catalog itself.
    """
    feed = Feed(session, types=NEWS)
    names = {key: value for key, value in (("app", name), ("version", version)) if value}
    found = [publish_one(session, bundle, feed, sha256=sha256, **names) for bundle in bundles]
    if session.screen.as_json:
        session.screen.json(found)


def publish_one(session: Session, bundle: Path | str, feed: Feed, *, sha256: str = "", **names: str) -> dict[str, Any]:
    """Publish one bundle and return what became of it. Raises CliError with every fault when it was rejected."""
    if str(bundle).startswith(ELSEWHERE):
        outcome = _fetched(session, str(bundle), feed, names | ({"sha256": sha256} if sha256 else {}))
    else:
        outcome = _sent(session, Path(bundle), feed, names)
    if outcome["state"] != "available":
        faults = tuple(fault(**found) for found in outcome["faults"])
        message, advice = f"{bundle}: the catalog rejected this bundle", "correct them and build the bundle again"
        if outcome["state"] == "failed":
            message, advice = f"{bundle}: the catalog could not have it", "the same command tries it anew"
        raise CliError(Status.FAILED, message, advice=advice, code=f"release_{outcome['state']}", faults=faults)
    session.screen.note(f"{outcome['app']} {outcome['version']} is available")
    return outcome


def _sent(session: Session, bundle: Path, feed: Feed, names: dict[str, str]) -> dict[str, Any]:
    if not bundle.is_file():
        raise usage(f"{bundle}: there is no such file, and it is no address (https://…, oci://…, sha256:…)")
    with session.screen.transfer(f"{bundle.name}: uploading") as far:
        total = bundle.stat().st_size
        done = session.upload_in_parts(bundle, lambda here: far(here, total), **names)
    return _settled(session, bundle.name, done["publication"], feed)


def _fetched(session: Session, source: str, feed: Feed, facts: dict[str, str]) -> dict[str, Any]:
    answer = session.command("POST", "/v1/publications", {"source": source, **facts})
    return _settled(session, source, answer["command_id"], feed)


def _settled(session: Session, name: str, publication: str, feed: Feed) -> dict[str, Any]:
    path = at("/v1/publications/{}", publication)
    waited = None
    with session.screen.busy(f"{name}: being checked") as told:
        for view in views(session, path, lambda view: bool(view["state"] != "under_way"), feed):
            told(f"{name}: {how_far(view)}")
            if (waits := view.get("waits")) and waits["code"] != waited:
                session.screen.note(f"{name}: waits ({waits['code']}): {waits['message']}")
                waited = waits["code"]
    return view


@app.verb("list")
def list_releases(session: Session, app: Annotated[str | None, typer.Option(help="Only of this app.")] = None) -> None:
    """Every release."""
    session.screen.table(session.pages("/v1/releases", app=app), COLUMNS, "no release yet: `belay release publish`")


@app.verb()
def show(session: Session, app: App, version: Version) -> None:
    """One release with its components, and what was prepared of it."""
    needs: tuple[Column, ...] = (("python", "requires.python"), ("platforms", "requires.platforms"))
    told: tuple[Column, ...] = (("components", _components), ("images", "images"), ("notices", "notices"))
    shown = (
        *COLUMNS,
        *needs,
        *PREPARATION,
        ("sha256", "bundle_sha256"),
        ("signed with", "signature.key"),
        ("fetched from", "origin.source"),
        ("which was", "origin.resolved"),
        ("rules", _rules),
        *told,
    )
    session.screen.card(session.get(at("/v1/releases/{}/{}", app, version)), shown)


@app.verb()
def prepare(
    session: Session,
    app: App,
    version: Version,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Have what a release brings to sites ready, once for all of them. One that failed is tried again."""
    path = at("/v1/releases/{}/{}", app, version)
    before = _changed_at(_before(session, path)) if watch else None
    answer = session.command("POST", f"{path}/prepare", {})
    if not watch:
        return session.screen.done(f"{app} {version} is {answer['result']['state']}", answer)
    with session.screen.busy(f"{app} {version}: fetching what it brings to sites"):
        unchanged = answer["result"]["state"] != "preparing"
        fresh = partial(_is_changed, None if unchanged else before)
        *_, release = views(session, path, _is_settled, fresh=fresh, types=PREPARATION_NEWS)
    session.screen.card(release, ("app", "version", *PREPARATION))
    if release["preparation"]["state"] == "failed":
        cause = release["preparation"]["cause"]
        raise CliError(Status.FAILED, f"{app} {version}: {cause['message']}", code=cause["code"])
    return None


PREPARATION_NEWS = "preparation_begun,release_prepared,preparation_failed"


def _before(session: Session, path: str) -> dict[str, Any]:
    """A release before a command; empty where it cannot be read: whether it is there is for its owner to say."""
    try:
        return session.get(path)
    except CliError:
        return {}


def _changed_at(release: dict[str, Any]) -> str | None:
    preparation = release.get("preparation")
    return str(preparation["changed_at"]) if preparation else None


def _is_changed(before: str | None, release: dict[str, Any]) -> bool:
    return before is None or _changed_at(release) != before


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
    off = "" if component.get("enabled", True) else ", off"
    return f"{component['name']} ({component['driver']}{after}{off})"


def _rules(release: Any) -> list[str]:
    """What it says beyond what all releases say, a line each."""
    from shared.messages.rules import PLAIN  # no other command needs the models

    usual = PLAIN.model_dump(mode="json")
    said = (release.get("rules") or {}).items()
    return [f"{name}: {_short(value)}" for name, value in said if value != usual.get(name)]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@app.verb()
def withdraw(
    session: Session, app: App, version: Version, reason: Annotated[str, typer.Option(help="Why, for others.")] = ""
) -> None:
    """Take a release out of use: no new operation may choose it. Sites that run it keep it."""
    answer = session.command("POST", at("/v1/releases/{}/{}/withdraw", app, version), {"reason": reason})
    session.screen.done(f"{app} {version} is withdrawn", answer)


@app.verb()
def delete(
    session: Session, app: App, version: Version, reason: Annotated[str, typer.Option(help="Why, for others.")] = ""
) -> None:
    """Remove a release for good, with its content; refused while a site runs it or an operation goes there."""
    path = at("/v1/releases/{}/{}", app, version)
    before = _before(session, path).get("deletion")
    answer = session.command("DELETE", path, {"reason": reason})
    with session.screen.busy(f"{app} {version}: asking whether a site needs it"):
        kept = _kept(session, app, answer["result"]["version"], before)
    if kept:
        message = f"{app} {version} was not deleted: {kept['message']}"
        raise CliError(Status.REFUSED, message, code=kept["code"])
    session.screen.done(f"{app} {version} is deleted", answer)


def _kept(session: Session, app: str, version: str, before: Any) -> dict[str, Any] | None:
    """Why it stays; None once it is gone. `before`: what came of an earlier deletion, which may show for a moment."""
    feed = Feed(session, types="release_deleted,release_deletion_refused")
    while True:
        try:
            found = session.get(at("/v1/releases/{}/{}", app, version))
        except CliError as error:
            if error.code == "unknown_release":
                return None
            raise
        if found["deletion"] and found["deletion"] != before and (cause := found["deletion"]["cause"]):
            return dict(cause)
        feed.wait()


FAILED: tuple[Column, ...] = (
    "app", "version", "failures", "barred",
    ("on", lambda item: [f"{one['site']}: {one['cause']['message']}" for one in item["sites"]]), "at",
)  # fmt: skip


@app.verb()
def failed(session: Session, app: Annotated[str | None, typer.Option(help="Only of this app.")] = None) -> None:
    """Releases that failed on sites: nothing chooses those again by itself that are barred."""
    session.screen.table(session.pages("/v1/failed-releases", app=app), FAILED, "no release failed")


@app.verb("clear-failed")
def clear_failed(
    session: Session,
    app: App,
    version: Version,
    site: Annotated[list[str], typer.Option(help="Only there; repeatable. Everywhere unless said.")] = [],  # noqa: B006
) -> None:
    """Let a release be chosen again by itself that failed."""
    answer = session.command("POST", at("/v1/failed-releases/{}/{}/clear", app, version), {"sites": site})
    session.screen.done(f"{app} {version} may be chosen again", answer)
