"""`belay site`: what is upgraded as one."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli import spec
from services.cli.errors import CliError, usage
from services.cli.noun import Noun
from services.cli.nouns import alarm, site_all, site_standing
from services.cli.screen import NOTHING, Column, size
from services.cli.session import Session, at

if TYPE_CHECKING:
    from shared.messages.base import Fault
    from shared.messages.strategy import Site

app = Noun("Sites: register, import, look at and remove what is upgraded as one.")
app.add_typer(alarm.app, name="alarm")


def _runs(item: Any) -> list[str]:
    """What runs on a site; a status is told only where it is not the usual one."""
    return [_run(deployment) for deployment in item.get("deployments") or ()]


def _run(deployment: Any) -> str:
    release = f"{deployment['app']} {deployment.get('version') or NOTHING}"
    return release if deployment["status"] == "operational" else f"{release} ({deployment['status']})"


def _drivers(item: Any) -> list[str]:
    return sorted(item["connections"])


def _connections(item: Any) -> list[str]:
    """`process: host=local password={secret: oslo}`, a line for each driver."""
    return [
        " ".join([f"{driver}:", *(f"{name}={_value(value)}" for name, value in told.items())])
        for driver, told in sorted(item["connections"].items())
    ]


def _value(value: Any) -> str:
    """As it is typed: a reference to a secret without quotes."""
    return f"{{secret: {value['secret']}}}" if isinstance(value, dict) and value.keys() == {"secret"} else str(value)


COLUMNS: tuple[Column, ...] = (
    "name", "group", ("runs", _runs), ("is", site_standing.standing), ("drivers", _drivers), "labels",
    ("held by", "held_by.strategy"),
)  # fmt: skip

WHOLE: tuple[Column, ...] = (
    *COLUMNS, ("cause", site_standing.cause), ("since", "since"), ("last sign of life", "seen_at"),
    ("checked", "checked_at"), ("free disk", site_standing.room), "facts",
    ("alarms", site_standing.alarms), "managed", "maintenance", ("connections", _connections), "simplex",
)  # fmt: skip

Name = Annotated[str, typer.Argument(help="The site.")]
Labels = Annotated[list[str], typer.Option("--label", metavar="LABEL=VALUE", help="A label; may be repeated.")]
Group = Annotated[str | None, typer.Option(help="The group it belongs to.")]
Facts = Annotated[
    list[str],
    typer.Option("--fact", metavar="NAME=VALUE", help="Of its platform, such as kubernetes=1.29.2; repeatable."),
]
Connections = Annotated[
    list[str],
    typer.Option("--connection", metavar="DRIVER[:NAME=VALUE]", help="A driver, and what it must know; repeatable."),
]


PRESTAGED: tuple[Column, ...] = (
    "app", "version", ("size", lambda item: size(item["bytes"])), "items", "complete", "platform", ("sent", "at"),
)  # fmt: skip


@app.verb("list")
def list_sites(
    session: Session,
    *,
    group: Annotated[str | None, typer.Option(help="Only of this group.")] = None,
    label: Labels = [],  # noqa: B006  Typer copies it
    search: Annotated[str | None, typer.Option("--search", "-q", help="Part of the name.")] = None,
    held: Annotated[bool | None, typer.Option("--held/--free", help="Only sites (not) held by a strategy.")] = None,
    availability: Annotated[str | None, typer.Option(help="Only those that are online, offline or unknown.")] = None,
    managed: Annotated[bool | None, typer.Option(help="Only sites that strategies (do not) leave alone.")] = None,
    maintenance: Annotated[bool | None, typer.Option(help="Only sites (not) in maintenance.")] = None,
    alarms: Annotated[bool | None, typer.Option(help="Only sites with alarms, or without any.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """Sites, whether they answer, and what runs on them."""
    spec.pairs(label, "--label")
    flags = {"held": held, "managed": managed, "maintenance": maintenance, "alarms": alarms}
    wanted = {name: str(flag).lower() for name, flag in flags.items() if flag is not None}
    found = session.pages("/v1/sites", group=group, label=label or None, q=search, availability=availability, **wanted)
    session.screen.table(islice(found, limit), COLUMNS, "no such site; `belay site import` adds many at once")


@app.verb()
def show(session: Session, name: Name) -> None:
    """One site: whether it answers, what is wrong with it, what runs there, how it is reached."""
    session.screen.card(session.get(at("/v1/sites/{}", name)), WHOLE)


@app.verb()
def check(session: Session, name: Name) -> None:
    """Ask a site now whether it answers. One that was online is offline when two checks in a row fail."""
    session.screen.card(site_standing.checked(session, name), WHOLE)


site_standing.add_to(app)
site_all.add_to(app)


@app.verb()
def prestaged(
    session: Session, name: Name, app: Annotated[str | None, typer.Option(help="Only of this app.")] = None
) -> None:
    """What was sent to a site before it is needed there: by app and release, with its size and when it came."""
    found = session.pages(at("/v1/sites/{}/prestaged", name), app=app)
    session.screen.table(found, PRESTAGED, "nothing lies prestaged there")


@app.verb()
def register(
    session: Session,
    name: Name,
    *,
    group: Group = None,
    label: Labels = [],  # noqa: B006
    driver: Annotated[str | None, typer.Option(help="The driver that reaches it; process unless said.")] = None,
    param: Annotated[
        list[str], typer.Option("--param", metavar="NAME=VALUE", help="What this driver must know; may be repeated.")
    ] = [],  # noqa: B006
    connection: Connections = [],  # noqa: B006
    managed: Annotated[bool, typer.Option(help="Unmanaged sites are left alone by strategies.")] = True,
    maintenance: Annotated[bool, typer.Option(help="Nothing is begun there for now.")] = False,
    simplex: Annotated[bool, typer.Option(help="Always apply here, never roll back to a revision.")] = False,
    fact: Facts = [],  # noqa: B006
    replace: Annotated[bool, typer.Option("--replace", help="Register anew what is there already.")] = False,
) -> None:
    """Add a site. Registration is whole: what is left out gets its default, also at a site that is there already;
    that is refused where something would be lost, unless --replace is given. `belay site set` changes single facts."""
    from services.cli.site_file import scalar

    params = {key: scalar(value) for key, value in spec.pairs(param, "--param").items()}
    connections = _connections_of(connection)
    if driver or params or not connections:
        connections.setdefault(driver or "process", {}).update(params)
    site: dict[str, Any] = {
        "name": name,
        "group": group,
        "labels": spec.pairs(label, "--label"),
        "connections": connections,
    }
    site |= {"managed": managed, "maintenance": maintenance, "simplex": simplex}
    if facts := spec.pairs(fact, "--fact"):
        site["facts"] = facts
    if not replace:
        _must_lose_nothing(session, site)
    answer = session.command("POST", "/v1/sites", {"sites": [site]})
    session.screen.done(f"site {name} is registered", answer)


def _connections_of(texts: list[str]) -> dict[str, dict[str, Any]]:
    """`["copy:root=/srv", "helm"]` -> `{"copy": {"root": "/srv"}, "helm": {}}`. Raises a usage error."""
    from services.cli.site_file import scalar

    connections: dict[str, dict[str, Any]] = {}
    for text in texts:
        driver, told, pair = text.partition(":")
        values = spec.pairs([pair], "--connection") if told else {}
        connections.setdefault(driver, {}).update({key: scalar(value) for key, value in values.items()})
    return connections


def _must_lose_nothing(session: Session, site: dict[str, Any]) -> None:
    """Raises a usage error where the site is there already with facts that this registration leaves out or changes."""
    found = next((one for one in session.pages("/v1/sites", q=site["name"]) if one["name"] == site["name"]), None)
    told = {key: value for key, value in site.items() if key != "facts"} | {"told_facts": site.get("facts", {})}
    lost = [key for key, value in told.items() if found and found.get(key) not in (value, None, {})]
    if lost:
        message = f"site {site['name']} is registered already; this would replace its {', '.join(lost)}"
        raise usage(message, f"`belay site set {site['name']}` changes single facts, --replace registers it anew")


@app.verb("set")
def change(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(metavar="[SITE]...", help="The sites.")] = None,
    *,
    in_group: Annotated[list[str], typer.Option(help="Only sites of this group; repeated: of any.")] = [],  # noqa: B006
    with_label: Annotated[
        list[str], typer.Option(metavar="LABEL=VALUE", help="Only sites with this label; repeated: with all of them.")
    ] = [],  # noqa: B006
    every: Annotated[bool, typer.Option("--all", help="The whole fleet.")] = False,
    group: Annotated[str | None, typer.Option(help="The group they belong to from now on.")] = None,
    ungroup: Annotated[bool, typer.Option("--no-group", help="They belong to no group any more.")] = False,
    label: Labels = [],  # noqa: B006
    unlabel: Annotated[list[str], typer.Option(metavar="LABEL", help="Take a label away; repeatable.")] = [],  # noqa: B006
    driver: Annotated[str | None, typer.Option(help="This driver alone reaches them from now on.")] = None,
    param: Annotated[list[str], typer.Option(metavar="NAME=VALUE", help="What drivers must know.")] = [],  # noqa: B006
    connection: Connections = [],  # noqa: B006
    disconnect: Annotated[list[str], typer.Option(metavar="DRIVER", help="It reaches them no longer.")] = [],  # noqa: B006
    unset_param: Annotated[list[str], typer.Option(metavar="NAME", help="Take a param away.")] = [],  # noqa: B006
    managed: Annotated[bool | None, typer.Option(help="Unmanaged sites are left alone by strategies.")] = None,
    maintenance: Annotated[bool | None, typer.Option(help="Nothing is begun there meanwhile.")] = None,
    simplex: Annotated[bool | None, typer.Option(help="Always apply here, never roll back to a revision.")] = None,
    fact: Facts = [],  # noqa: B006
    unset_fact: Annotated[list[str], typer.Option(metavar="NAME", help="Take a fact away; repeatable.")] = [],  # noqa: B006
) -> None:
    """Change single facts of sites; what is left out stays as it is."""
    from services.cli.site_file import scalar

    selection = {
        "sites": names,
        "groups": in_group,
        "labels": spec.pairs(with_label, "--with-label"),
        "all": every or None,
    }
    params = {key: scalar(value) for key, value in spec.pairs(param, "--param").items()}
    facts = {
        "selection": selection, "group": group, "ungroup": ungroup, "labels": spec.pairs(label, "--label"),
        "unlabel": unlabel, "driver": driver, "params": params, "unset_params": unset_param, "managed": managed,
        "maintenance": maintenance, "simplex": simplex, "connections": _connections_of(connection),
        "disconnect": disconnect, "facts": spec.pairs(fact, "--fact"), "unset_facts": unset_fact,
    }  # fmt: skip
    body = spec.merged({}, {key: value for key, value in facts.items() if value not in (None, False) or key in _FLAGS})
    if not body.keys() - {"selection"}:
        raise usage("nothing to change was given", "such as --no-managed, --label region=north or --group north")
    answer = session.command("PATCH", "/v1/sites", body)
    count = answer["result"]["sites"]
    session.screen.done(f"changed: {count} {'site' if count == 1 else 'sites'}", answer)


_FLAGS = frozenset({"managed", "maintenance", "simplex"})


@app.verb("import")
def import_sites(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A .csv, .yaml or .yml file.")],
    check: Annotated[bool, typer.Option("--check", help="Only read the file; send nothing.")] = False,
    create_groups: Annotated[bool, typer.Option(help="Create groups that do not exist yet.")] = False,
) -> None:
    """Register all sites of a file: CSV with the columns name, group, driver, managed, maintenance, simplex, label.KEY
    and param.KEY, or a YAML list with the same fields as the API. A faulty file is refused whole, with every fault."""
    from services.cli.site_file import read_sites  # YAML, and the models of a site

    rows = read_sites(file)
    if not check:
        if create_groups:
            create_missing_groups(session, {site.group for _, site in rows if site.group})
        _send(session, rows)
    verb = "are right" if check else "are registered"
    session.screen.done(f"{len(rows)} sites {verb}", {"sites": len(rows), "registered": 0 if check else len(rows)})


def create_missing_groups(session: Session, wanted: set[str]) -> None:
    """Create those of the groups that do not exist yet."""
    known = {group["name"] for group in session.pages("/v1/groups")}
    for name in sorted(wanted - known):
        session.command("POST", "/v1/groups", {"name": name})


def _send(session: Session, rows: "list[tuple[int, Site]]") -> None:
    from shared.messages.strategy import BATCH

    with session.screen.progress("registering", len(rows)) as advance:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            try:
                session.command("POST", "/v1/sites", {"sites": [site.model_dump(mode="json") for _, site in batch]})
            except CliError as error:
                raise _with_lines(error, batch, start) from error
            advance(len(batch))


def _with_lines(error: CliError, batch: "list[tuple[int, Site]]", sent: int) -> CliError:
    """The refusal of a batch in terms of the file: its third site is the one on line 1,204."""
    faults = tuple(_placed(fault, batch) for fault in error.faults)
    before = f"; the {sent} sites before line {batch[0][0]} are registered" if sent else "; no site was registered"
    advice = error.advice or "correct it and import the same file again: sites that are known already do no harm"
    return CliError(error.status, error.message + before, advice=advice, code=error.code, faults=faults)


def _placed(fault: "Fault", batch: "list[tuple[int, Site]]") -> "Fault":
    from services.cli.site_file import at_line

    head, _, rest = fault.field.partition(".")
    index, _, field = rest.partition(".")
    if head != "sites" or not index.isdecimal() or int(index) >= len(batch):
        return fault
    return fault.model_copy(update={"field": at_line(batch[int(index)][0], field)})


@app.verb()
def remove(session: Session, names: Annotated[list[str], typer.Argument(help="Sites to forget.")]) -> None:
    """Forget sites. Refused for a site that a strategy holds."""
    answers = [session.command("DELETE", at("/v1/sites/{}", name)) for name in names]
    session.screen.done(f"forgotten: {', '.join(names)}", {"removed": names, "answers": answers})
