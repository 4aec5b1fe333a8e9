"""`belay app behaviour`, `reapply` and `drift`: what is done by itself with an app."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from services.cli.errors import usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

Name = Annotated[str, typer.Argument(help="The app.")]
Switch = bool | None

DRIFT: tuple[Column, ...] = (
    "site", "app", "version", ("what", lambda item: [f"{c['component']}: {c['message']}".removeprefix(": ")
                                                     for c in item["components"]]),
    "then", ("found", "found_at"),
)  # fmt: skip
SWITCHES = (
    "audit", "desired_state", "deployed_on", "reapply", "reapply_on", "auto_update", "auto_downgrade", "prereleases",
    "forbidden",
)  # fmt: skip
NONE = "none"
"""Typed for a list that is to be empty: nothing said leaves it as it is."""


def _said(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Of a switch; an empty list is an answer as well, and not what the release says."""
    return lambda item: NONE if item["switches"].get(name) == [] else item["switches"].get(name)


BEHAVIOUR: tuple[Column, ...] = (
    "app", *((name.replace("_", " "), _said(name)) for name in SWITCHES),
    ("changed", "changed_at"), ("by", "changed_by"), "reason",
)  # fmt: skip


def add_to(app: Noun) -> None:
    """Make these commands of `belay app`."""
    app.verb("behaviour")(behaviour)
    app.verb("reapply")(reapply)
    app.verb("drift")(drift)


def behaviour(
    session: Session,
    name: Name,
    *,
    audit: Annotated[Switch, typer.Option(help="Ask drivers whether what was deployed is there and well.")] = None,
    desired_state: Annotated[str | None, typer.Option(help="deployed or absent: kept so.")] = None,
    on_site: Annotated[list[str], typer.Option(help="Deployed here though nobody did so; repeatable.")] = [],  # noqa: B006
    on_group: Annotated[list[str], typer.Option(help="The same for the sites of a group; repeatable.")] = [],  # noqa: B006
    reapply: Annotated[Switch, typer.Option(help="Apply it again on its events.")] = None,
    reapply_on: Annotated[
        list[str],
        typer.Option(metavar="EVENT[,FIELD=VALUE…]", help=f"Only these events; repeatable. {NONE}: on no event."),
    ] = [],  # noqa: B006
    auto_update: Annotated[Switch, typer.Option(help="To the newest allowed release, by itself.")] = None,
    auto_downgrade: Annotated[
        Switch, typer.Option(help="Back from a release that was withdrawn or fits no more.")
    ] = None,
    prereleases: Annotated[Switch, typer.Option(help="Auto-update takes pre-releases, too.")] = None,
    forbid: Annotated[
        list[str],
        typer.Option(metavar="KIND", help=f"People may not ask for it; repeatable. {NONE}: they may for all."),
    ] = [],  # noqa: B006
    as_released: Annotated[list[str], typer.Option(metavar="SWITCH", help="As the release says again.")] = [],  # noqa: B006
    reason: Annotated[str, typer.Option(help="Why, for others.")] = "",
) -> None:
    """Show what people switched of an app, or switch it: a person's word counts over its release's."""
    switches: dict[str, Any] = {
        "audit": audit, "desired_state": desired_state, "reapply": reapply, "auto_update": auto_update,
        "auto_downgrade": auto_downgrade, "prereleases": prereleases, "forbidden": _all_or_none("--forbid", forbid),
        "reapply_on": _triggers(_all_or_none("--reapply-on", reapply_on)),
        "deployed_on": {"sites": on_site, "groups": on_group} if on_site or on_group else None,
    }  # fmt: skip
    said = {key: value for key, value in switches.items() if value is not None}
    if unknown := [word for word in as_released if word.replace("-", "_") not in SWITCHES]:
        raise usage(f"there is no switch {', '.join(unknown)}", f"there are {', '.join(SWITCHES)}")
    if said or as_released:
        back = [word.replace("-", "_") for word in as_released]
        body = {"switches": said, "as_released": back, "reason": reason}
        answer = session.command("PATCH", at("/v1/behaviours/{}", name), body)
        return session.screen.done(f"{name} behaves as you said", answer)
    found = (item for item in session.pages("/v1/behaviours") if item["app"] == name)
    nobody: dict[str, Any] = {
        "app": name,
        "switches": {},
        "changed_at": None,
        "changed_by": "",
        "reason": "as its releases say",
    }
    return session.screen.card(next(found, nobody), BEHAVIOUR)


def _all_or_none(option: str, said: list[str]) -> list[str] | None:
    """The list that an option makes: null where it was not given, empty where `none` was."""
    if NONE not in said:
        return said or None
    if len(said) > 1:
        raise usage(f"{option} {NONE} and another {option} contradict each other", "give one of them")
    return []


def _triggers(texts: list[str] | None) -> list[dict[str, Any]] | None:
    return None if texts is None else [_trigger(text) for text in texts]


def _trigger(text: str) -> dict[str, Any]:
    """As it is typed: `facts_changed,fact=kubernetes,label:tier=edge`."""
    event, *rest = text.split(",")
    filters: dict[str, str] = {}
    last = ""
    for part in rest:
        name, equals, value = part.partition("=")
        if last and _continues(part):
            filters[last] += f",{part}"
        elif not equals or not name:
            raise usage(f"'{part}' of '{text}' is no filter", "write FIELD=VALUE, such as fact=kubernetes")
        else:
            filters[name], last = value, name
    return {"event": event, "filters": filters}


def _continues(part: str) -> bool:
    """Whether it goes on with a range of versions: `kubernetes=>=1.30,<1.32`."""
    return part.startswith(("<", ">", "!", "~", "=="))


def reapply(
    session: Session,
    name: Name,
    site: Annotated[list[str], typer.Option(help="Only on this site; repeatable. Wherever it runs unless said.")] = [],  # noqa: B006
    reason: Annotated[str, typer.Option(help="Why, for others.")] = "",
) -> None:
    """Have an app applied again where it runs; what did not change stays as it is."""
    answer = session.command("POST", at("/v1/apps/{}/reapply", name), {"sites": site, "reason": reason})
    session.screen.done(f"{name} is applied again on {answer['result'].get('sites', 0)} sites", answer)


def drift(
    session: Session,
    app: Annotated[str | None, typer.Option(help="Only of this app.")] = None,
    site: Annotated[str | None, typer.Option(help="Only on this site.")] = None,
) -> None:
    """What is not as it was left, on which sites."""
    session.screen.table(
        session.pages("/v1/drift", app=app, site=site), DRIFT, "all that is looked at is as it was left"
    )
