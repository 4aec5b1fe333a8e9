"""Sites, and the one sequence of all messages about the fleet. One typed method a query of sites.sql."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, cast

import asyncpg

from services.strategy_orchestrator.strategies import Candidate
from shared.messages.deployer import SiteAvailability
from shared.messages.strategy import ChangeSites, Selection, Site
from shared.messages.words import Availability
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("sites.sql"))

MOST_CAUSE = 300
"""Characters of a cause that is kept: reasons of plans name it."""

PLACES = {field.name: place for place, field in enumerate(fields(Candidate))}
DRIVERS, LISTED = PLACES["drivers"], [PLACES[name] for name in ("history", "alarms", "unknown_secrets")]
"""Their places in the rows of `candidates`, whose columns are in the order of the fields."""


class KnownSite(NamedTuple):
    """A site that there is: its group, the strategy that holds it, and the single operation that runs there."""

    name: str
    group: str | None
    held_by: str | None
    operation_id: str | None
    managed: bool
    maintenance: bool

    def turns(self, site: Site) -> bool:
        """Whether strategies may treat it in another way when it is as this says."""
        return (self.managed, self.maintenance) != (site.managed, site.maintenance)


class Moved(NamedTuple):
    """A site of which the deployer said something new: its availability before and now."""

    name: str
    was: str
    now: str


async def next_fleet_sequence(conn: Connection, count: int) -> int:
    """The first of `count` new sequence numbers of the fleet; holds its row until the transaction ends."""
    last = cast("int", await SQL.value(conn, "next_fleet_sequence", count=count))
    return last - count + 1


async def upsert_sites(conn: Connection, sites: Sequence[Site]) -> None:
    """Add sites or replace what is known of them."""
    rows = [(s.name, s.group, s.labels, s.connections, s.managed, s.maintenance, s.simplex, s.facts) for s in sites]
    names, group_names, labels, connections, managed, maintenance, simplex, facts = columns(rows, 8)
    await SQL.run(
        conn,
        "upsert_sites",
        names=names,
        groups=group_names,
        labels=labels,
        connections=connections,
        managed=managed,
        maintenance=maintenance,
        simplex=simplex,
        facts=facts,
    )


async def change_sites(conn: Connection, names: Sequence[str], change: ChangeSites) -> list[Site]:
    """Change what the command says of these sites; as they are now."""
    rows = await SQL.fetch(
        conn,
        "change_sites",
        names=list(names),
        group=change.group,
        ungroup=change.ungroup,
        labels=change.labels,
        unlabel=list(change.unlabel),
        connections=change.connections,
        disconnect=list(change.disconnect),
        driver=change.driver,
        params=change.params,
        unset_params=list(change.unset_params),
        managed=change.managed,
        maintenance=change.maintenance,
        simplex=change.simplex,
        facts=change.facts,
        unset_facts=list(change.unset_facts),
    )
    return [Site.model_construct(**row) for row in rows]


async def sites_after(conn: Connection, after: str, limit: int) -> list[Site]:
    """The next sites by name; nobody changes them until the transaction ends."""
    return [Site.model_construct(**row) for row in await SQL.fetch(conn, "sites_after", after=after, limit=limit)]


async def lock_sites(conn: Connection, names: Sequence[str]) -> None:
    """Lock the rows of sites, in one order."""
    await SQL.run(conn, "lock_sites", names=list(names))


async def known_sites(conn: Connection, names: Sequence[str]) -> dict[str, KnownSite]:
    """Those of the names that are sites."""
    rows = await SQL.fetch(conn, "known_sites", names=list(names))
    return {site.name: site for site in map(KnownSite._make, rows)}


async def names_apart_by_case(conn: Connection, lowered: Sequence[str]) -> dict[str, str]:
    """The sites whose names in lower case are these, by them."""
    rows = await SQL.fetch(conn, "names_apart_by_case", lowered=list(lowered))
    return {row["name"].lower(): row["name"] for row in rows}


async def delete_sites(conn: Connection, names: Sequence[str]) -> None:
    """Forget sites that nobody holds."""
    await SQL.run(conn, "delete_sites", names=list(names))


async def candidates(conn: Connection, app: str, selection: Selection) -> list[Candidate]:
    """Every site of a selection (which must not be empty) with what runs there, by name."""
    without = selection.exclude
    rows = await SQL.fetch(
        conn,
        "candidates",
        app=app,
        sites=list(selection.sites),
        groups=list(selection.groups),
        labels=selection.labels,
        not_sites=list(without.sites),
        not_groups=list(without.groups),
        not_labels=without.labels,
    )
    return [_candidate(row) for row in rows]


def _candidate(row: asyncpg.Record) -> Candidate:
    facts = list(row.values())
    facts[DRIVERS] = frozenset(facts[DRIVERS])
    for place in LISTED:
        facts[place] = tuple(facts[place])
    return Candidate(*facts)


async def note_availability(conn: Connection, told: Iterable[SiteAvailability]) -> list[Moved]:
    """Keep what the deployer said (of each site once); of which sites it was news."""
    rows = [(t.site, t.availability, t.since, t.seen_at, _cause(t), t.facts, t.nth) for t in told]
    names, availabilities, sinces, seen, causes, found, nths = columns(rows, 7)
    about = {"names": names, "availabilities": availabilities, "sinces": sinces, "seen": seen, "causes": causes}
    return [Moved(*row) for row in await SQL.fetch(conn, "note_availability", **about, found=found, nths=nths)]


def _cause(told: SiteAvailability) -> str | None:
    if told.availability != Availability.OFFLINE:
        return None
    return told.cause.message[:MOST_CAUSE] if told.cause else "the deployer did not say why"
