"""Requests and operations that begin are judged by what their releases need. Who needs nothing costs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.deployer.dependencies import store
from services.deployer.dependencies.choosing import Chain, Wish, chain, present
from services.deployer.dependencies.needs import (
    ARRIVING,
    NOTHING,
    Found,
    Surroundings,
    apps_named,
    arriving,
    leaving,
)
from services.deployer.domain import Release
from shared.messages.base import Fault
from shared.messages.words import OperationKind as Kind
from shared.process.db import Connection
from shared.site_needs import unfit

FIELDS = {"platform_unfit": "site", "patches_missing": "site", "operation_forbidden": "kind"}
"""The field of a request that a reason is about; any other is about the app."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as it is judged here."""

    site: str
    app: str
    kind: Kind
    target: Release | None
    """The release to come; of a removal the one that goes. None = not known."""
    drivers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What speaks against it, what is only told, and which releases have to come before it."""

    faults: tuple[Fault, ...] = ()
    notices: tuple[str, ...] = ()
    before: tuple[Release, ...] = field(default=())


FINE = Verdict()


def needs_judging(asked: Asked) -> bool:
    """Whether anything is to be looked up at all."""
    if asked.target is None or asked.kind not in {*ARRIVING, Kind.REMOVE}:
        return False
    rules = asked.target.rules
    return asked.target.relied_on or (
        asked.kind in ARRIVING and bool(rules.depends_on or rules.excludes or rules.site.model_fields_set)
    )


async def judge(conn: Connection, asked: Sequence[Asked]) -> list[Verdict]:
    """The verdict on each, in their order: one query for all that need one, and one more for each link of chains."""
    looked_at = [each for each in asked if needs_judging(each)]
    if not looked_at:
        return [FINE] * len(asked)
    around = await store.surroundings(conn, (each.site for each in looked_at))
    found = {id(each): _found(each, around.get(each.site, Surroundings())) for each in looked_at}
    chains = await _chains(conn, [(each, found[id(each)], around) for each in looked_at if found[id(each)].first])
    return [_verdict(each, found.get(id(each), NOTHING), chains.get(id(each))) for each in asked]


def _found(asked: Asked, around: Surroundings) -> Found:
    if asked.kind is Kind.REMOVE:
        return leaving(asked.app, around)
    assert asked.target  # noqa: S101 - `needs_judging` lets nothing else in
    platform = Found(refused=tuple(unfit(asked.target.rules.site, around.facts)))
    return platform + arriving(present(asked.target), asked.site, around)


async def _chains(
    conn: Connection, lacking: Sequence[tuple[Asked, Found, dict[str, Surroundings]]]
) -> dict[int, Chain]:
    """What has to come before those that lack something that may be brought."""
    if not lacking:
        return {}
    releases = await _all_that_may_come(
        conn, {need.app for _, found, _ in lacking for ways in found.first for need in ways}
    )
    return {
        id(asked): chain(found, present(asked.target), releases, _wish(asked, around))
        for asked, found, around in lacking
        if asked.target
    }


def _wish(asked: Asked, around: Mapping[str, Surroundings]) -> Wish:
    return Wish(asked.site, asked.drivers, around.get(asked.site, Surroundings()))


async def _all_that_may_come(conn: Connection, apps: set[str]) -> dict[str, list[Release]]:
    """The releases of these apps, of those that they need, and so on."""
    known: dict[str, list[Release]] = {}
    while apps:
        found = await store.releases_of(conn, apps)
        known |= {app: found.get(app, []) for app in apps}
        named = {app for some in found.values() for release in some for app in apps_named(release.rules)}
        apps = named - known.keys()
    return known


def _verdict(asked: Asked, found: Found, then: Chain | None) -> Verdict:
    refused = then.refused if then else found.refused
    faults = tuple(fault_of(asked, cause.code, cause.message) for cause in refused)
    return Verdict(faults, then.notices if then else found.notices, then.before if then and not faults else ())


def fault_of(asked: Asked, code: str, message: str) -> Fault:
    """A reason as an answer lists it: whose it is, and of which field."""
    version = f" {asked.target.version}" if asked.target and asked.kind is not Kind.REMOVE else ""
    where = FIELDS.get(code, "app")
    value = {"site": asked.site, "kind": asked.kind}.get(where, asked.app)
    return Fault(code=code, field=where, message=f"{asked.kind} of {asked.app}{version}: {message}", value=value)


def relied_on(releases: Iterable[Release]) -> set[str]:
    """The apps that these releases name."""
    return {app for release in releases for app in apps_named(release.rules)}
