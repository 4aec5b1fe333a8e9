"""`belay overrides`: what people set over the values of releases."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.errors import usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at
from services.cli.value_files import values_of

app = Noun(
    "Overrides: values and switches over those of releases, for the fleet, groups and sites.",
    epilog="The fleet's are the weakest, then come the group's and the site's. "
    "A secret is named as {secret: NAME}. `belay deployment reapply` carries out what has changed.",
)

Text = str | None
App = Annotated[str, typer.Argument(help="Of which app.")]
Component = Annotated[str, typer.Argument(help="Of which component.")]
Site = Annotated[Text, typer.Option(help="For this site.", show_default=False)]
Group = Annotated[Text, typer.Option(help="For the sites of this group.", show_default=False)]
Fleet = Annotated[bool, typer.Option("--fleet", help="For all sites.")]
Reason = Annotated[Text, typer.Option(help="Why, for the history.", show_default=False)]
Expected = Annotated[int | None, typer.Option("--expect", min=0, help="Refuse unless so many changes were made there.")]

LIST: tuple[Column, ...] = (
    "level", "target", "component", ("on", "enabled"), "namespace", ("values", lambda each: _short(each["values"])),
    ("change", "nth"), "at", "by",
)  # fmt: skip
HISTORY: tuple[Column, ...] = (
    ("change", "nth"), "at", "by", ("on", "enabled"), "namespace", ("values", lambda each: _short(each["values"])),
    "reason",
)  # fmt: skip
HEAD: tuple[Column, ...] = ("app", "component", ("release", "version"), ("on", "enabled"), "namespace")
MERGED: tuple[Column, ...] = ("value", "is", "from")


@app.verb("set")
def set_overrides(
    session: Session,
    app: App,
    component: Component,
    site: Site = None,
    group: Group = None,
    fleet: Fleet = False,
    *,
    file: Annotated[
        list[Path] | None, typer.Option("--file", "-f", metavar="YAML", help="Values; later files win.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As Helm: a.b=c,d={x,y},e[0].f=1.")
    ] = None,
    set_string: Annotated[
        list[str] | None, typer.Option(metavar="KEY=TEXT", help="The same, and nothing is a number.")
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Set this no more.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of all that is set there.")] = False,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is deployed.", show_default=False)] = None,
    namespace: Annotated[Text, typer.Option(help="Where it is deployed.", show_default=False)] = None,
    clear_attributes: Annotated[
        bool, typer.Option("--clear-attributes", help="Set neither --on/--off nor --namespace there any more.")
    ] = False,
    expect: Expected = None,
    reason: Reason = None,
) -> None:
    """Set values and switches of a component, over what is set there already."""
    values = values_of(file or (), set_ or (), set_string or ())
    given = {
        "values": values or None, "unset": unset or None, "replace": replace or None, "enabled": on,
        "namespace": namespace, "clear_attributes": clear_attributes or None, "expected_nth": expect, "reason": reason,
    }  # fmt: skip
    _send(session, at("/v1/apps/{}/overrides/{}", app, component), _place(site, group, fleet), given)


@app.verb()
def restore(
    session: Session,
    app: App,
    component: Component,
    change: Annotated[int, typer.Argument(min=1, help="Its number in the history.")],
    site: Site = None,
    group: Group = None,
    fleet: Fleet = False,
    *,
    expect: Expected = None,
    reason: Reason = None,
) -> None:
    """Set again what was set after a former change: any of the last 100 there, and of the last 90 days."""
    given = {"nth": change, "expected_nth": expect, "reason": reason}
    _send(session, at("/v1/apps/{}/overrides/{}/restore", app, component), _place(site, group, fleet), given)


@app.verb()
def clear(
    session: Session,
    app: App,
    component: Component,
    site: Site = None,
    group: Group = None,
    fleet: Fleet = False,
    *,
    expect: Expected = None,
    reason: Reason = None,
) -> None:
    """Set nothing any more there; its history stays."""
    given = {"expected_nth": expect, "reason": reason}
    _send(session, at("/v1/apps/{}/overrides/{}/clear", app, component), _place(site, group, fleet), given)


@app.verb("list")
def list_overrides(
    session: Session,
    app: App,
    component: Annotated[Text, typer.Option(help="Only of this component.")] = None,
    site: Site = None,
    group: Group = None,
    fleet: Fleet = False,
) -> None:
    """What is set for an app, at every level."""
    place = _place(site, group, fleet) if site or group or fleet else {}
    found = session.pages(at("/v1/apps/{}/overrides", app), component=component, **place)
    session.screen.table(found, LIST, "nothing is set: `belay overrides set`")


@app.verb()
def show(
    session: Session,
    app: App,
    component: Component,
    site: Site = None,
    group: Group = None,
    version: Annotated[Text, typer.Option(help="Over this release.", show_default=False)] = None,
) -> None:
    """A component with all levels merged, and where each value came from; without a site or group, the fleet's."""
    asked = {"site": site, "group": group, "version": version}
    found = session.get(at("/v1/apps/{}/overrides/{}", app, component), **asked)
    session.screen.card(found, HEAD)
    if not session.screen.as_json:
        session.screen.note("")
        session.screen.table(_rows(found), MERGED, "it has no values")


@app.verb()
def history(
    session: Session,
    app: App,
    component: Component,
    site: Site = None,
    group: Group = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """Every change at one level that is kept (the last 100, and those of 90 days), the newest first; without a site or
    group, the fleet's."""
    found = session.pages(at("/v1/apps/{}/overrides/{}/history", app, component), site=site, group=group)
    session.screen.table(islice(found, limit), HISTORY, "nothing was ever set there")


def _place(site: str | None, group: str | None, fleet: bool) -> dict[str, Any]:
    """For whom. Said every time: what was meant for a site must not be set for the fleet."""
    chosen = {"site": site, "group": group, "fleet": "" if fleet else None}
    level, *more = [name for name, target in chosen.items() if target is not None] or [""]
    if not level or more:
        raise usage("give one of --site, --group and --fleet: for whom it is")
    target = chosen[level]
    return {"level": level, "target": target} if target else {"level": level}


def _send(session: Session, path: str, place: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    body = {**place, **{name: value for name, value in given.items() if value is not None}}
    answer = session.command("POST", path, body)
    result = answer.get("result") or {}
    where = f"the {place['level']}" + (f" {place['target']}" if "target" in place else "")
    done = f"change {result['nth']} of {where}" if result.get("changed") else f"nothing changed for {where}"
    session.screen.done(f"{done}; `belay deployment reapply` carries it out" if result.get("changed") else done, answer)


def _rows(merged: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    from shared.values.paths import parsed

    for path, origin in merged["origins"].items():
        value: Any = merged["values"]
        for key in parsed(path):
            value = value[key]
        yield {"value": path, "is": json.dumps(value, ensure_ascii=False), "from": origin}


def _short(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
