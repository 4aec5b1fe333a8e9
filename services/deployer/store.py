"""The deployer's rows: one typed method a query, each for a whole batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import structlog
from pydantic import TypeAdapter, ValidationError

from services.deployer.automatic.behaviour import forbidden
from services.deployer.course import Course
from services.deployer.dependencies.store import release_of, rules_of
from services.deployer.domain import NOTHING_SET, Deployment, Facts, Operation, Release, Site
from services.deployer.overrides.terms import PLAIN_TERMS, Terms
from services.deployer.phases import Phase
from services.deployer.plan import Plan, Recorded
from services.deployer.prestage.store import PrestageStore, prestaged_of
from services.deployer.secrets import store as secrets
from services.deployer.secrets.rotation import NO_SECRETS, Kept, Versions
from shared.frozen import light_dataclass
from shared.messages import catalog, strategy
from shared.messages.deployer import Cause, ReleaseUnneeded
from shared.messages.manifest import Component
from shared.messages.rules import Rules
from shared.messages.words import DeploymentStatus, OperationKind
from shared.process.db import Connection, Queries, columns
from shared.secret_references import names_in
from shared.values.layers import in_order
from shared.versions import Scheme, spelt_as

log = structlog.get_logger()

SQL = Queries(Path(__file__).with_name("queries.sql"))

Pair = tuple[str, str]
"""An app with a version, or a site with an app."""

_COMPONENTS: TypeAdapter[tuple[Component, ...]] = TypeAdapter(tuple[Component, ...])
ID, SITE = attrgetter("id"), attrgetter("site")
_COURSE: TypeAdapter[Course] = TypeAdapter(Course)
_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)


@light_dataclass(frozen=True, slots=True)
class Claim:
    """An operation that a runner holds, and how often it was taken up."""

    id: str
    attempt: int


class Published(NamedTuple):
    """A release with its components, as the catalog told of it."""

    version: str
    bundle_sha256: str
    components: tuple[Component, ...]
    max_parallel: int | None
    rules: Rules


class Known(NamedTuple):
    """Whose an operation is that is known already."""

    site: str
    strategy_id: str | None
    finished: bool
    kind: OperationKind
    phase: Phase | None
    """Of its course, as it was saved last."""


@light_dataclass(frozen=True, slots=True)
class Loaded:
    """An operation that is to be worked on, with the site and the deployment it changes."""

    operation: Operation
    site: Site
    deployment: Deployment
    course: Course | None
    cancel_reason: str | None
    refused: Cause | None = None
    """Why it ends as soon as it is taken up: what it waited for could not be had."""
    requested_at: datetime | None = None
    """None = just now, by this very process."""


@dataclass(frozen=True, slots=True)
class SavedRow:
    """How far an operation has come, as it is to be kept."""

    id: str
    course: Course
    state: str


@light_dataclass(frozen=True, slots=True)
class FinishedRow:
    """How an operation ended. `alone`: an event of its own says so."""

    id: str
    state: str
    plan: Plan
    alone: bool


class Store:
    """The queries of queries.sql on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @property
    def conn(self) -> Connection:
        """That connection, for queries of other rooms."""
        return self._conn

    @property
    def prestages(self) -> PrestageStore:
        """The queries about prestages on the same connection."""
        return PrestageStore(self._conn)

    # -- projections ----------------------------------------------------------------------------------------------

    async def feed(self, aggregate: str) -> int:
        """The sequence of the last event taken of an aggregate; 0 = none."""
        return int(await SQL.value(self._conn, "read_feed", aggregate=aggregate) or 0)

    async def save_feed(self, aggregate: str, sequence: int) -> None:
        await SQL.run(self._conn, "save_feed", aggregate=aggregate, sequence=sequence)

    async def put_sites(self, sites: Iterable[strategy.Site]) -> None:
        rows = [
            (
                s.name,
                s.connections,
                s.simplex,
                _named(s.connections),
                s.managed,
                s.maintenance,
                s.facts,
                s.group,
                s.labels,
            )
            for s in sites
        ]
        names = ("names", "connections", "simplex", "secrets", "managed", "maintenance", "facts", "groups", "labels")
        facts = dict(zip(names, columns(rows, 9), strict=True))
        await SQL.run(self._conn, "put_sites", **facts)

    async def put_alarms(self, alarms: Mapping[str, Sequence[str]]) -> None:
        """The alarms of each site that affect its management."""
        await SQL.run(self._conn, "put_alarms", sites=list(alarms), alarms=[" ".join(a) for a in alarms.values()])

    async def remove_sites(self, names: Sequence[str]) -> None:
        await SQL.run(self._conn, "remove_sites", names=list(names))

    async def hold_sites(self, holds: Iterable[tuple[str, str, str]]) -> None:
        """Rows of site, id and name of the strategy; a site stands in them once."""
        sites, ids, names = columns(list(holds), 3)
        await SQL.run(self._conn, "hold_sites", sites=sites, strategy_ids=ids, strategies=names)

    async def release_sites(self, strategy_ids: Sequence[str]) -> None:
        await SQL.run(self._conn, "release_sites", strategy_ids=list(strategy_ids))

    async def put_releases(self, releases: Iterable[catalog.ReleaseAvailable]) -> None:
        await SQL.run(self._conn, "put_releases", releases=[_release_row(release) for release in releases])

    async def withdraw_releases(self, releases: Iterable[Pair]) -> None:
        apps, versions = columns(list(releases), 2)
        await SQL.run(self._conn, "withdraw_releases", apps=apps, versions=versions)

    async def mark_unneeded(self, settled: timedelta) -> list[ReleaseUnneeded]:
        """Releases withdrawn that long ago which no site could go back to; each is returned once, ever."""
        rows = await SQL.fetch(self._conn, "mark_unneeded", settled=settled)
        return [ReleaseUnneeded.model_validate(dict(row)) for row in rows]

    # -- requests -------------------------------------------------------------------------------------------------

    async def facts(self, pairs: Iterable[Pair]) -> list[Facts]:
        """What is known of each site and app, without the release; in order."""
        pairs = list(pairs)
        sites, apps = columns(pairs, 2)
        rows = await SQL.fetch(self._conn, "find_facts", sites=sites, apps=apps)
        return [_facts(site, row) for (site, _), row in zip(pairs, rows, strict=True)]

    async def releases(self, pairs: Iterable[Pair]) -> tuple[dict[Pair, Release], set[str]]:
        """Those of the releases that are known, and those of the apps."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "find_releases", apps=apps, versions=versions)
        known = {(row["app"], row["version"]): _release(row) for row in rows if row["version"] is not None}
        return known, {row["app"] for row in rows if row["app_known"]}

    async def as_published(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """How the releases are written whose versions compare as equal to these, which are none of them."""
        asked = sorted(set(pairs))
        known: dict[str, dict[str, Scheme]] = {}
        for row in await SQL.fetch(self._conn, "list_versions", apps=sorted({app for app, _ in asked})):
            known.setdefault(row["app"], {})[row["version"]] = row["scheme"]
        found = {
            (app, version): spelt_as(next(iter(known[app].values())), version, known[app])
            for app, version in asked
            if app in known
        }
        return {pair: version for pair, version in found.items() if version}

    async def known_secrets(self, names: Collection[str]) -> set[str]:
        """Those of the names under which a secret is kept."""
        return await secrets.known_secrets(self._conn, names)

    async def secret_versions(self, names: Collection[str]) -> dict[str, Kept]:
        """Of each of these secrets, which version is there, and since when."""
        return await secrets.secret_versions(self._conn, names)

    async def insert_operations(self, operations: Sequence[Operation], runner: str | None, now: datetime) -> set[str]:
        """Store operations, claimed by `runner` or waiting. The ids of those that were stored.

        The others are known already, or on their sites an operation began in the meantime.
        """
        # In one order: a site has one operation at a time, and who stores a second one waits for the first's commit.
        operations = sorted(operations, key=SITE)
        rows = await SQL.fetch(
            self._conn,
            "insert_operations",
            ids=[o.id for o in operations],
            sites=[o.site for o in operations],
            apps=[o.app for o in operations],
            kinds=[o.kind for o in operations],
            from_versions=[o.from_version for o in operations],
            to_versions=[o.to_version for o in operations],
            strategy_ids=[o.strategy_id for o in operations],
            timeouts=[o.timeout_seconds for o in operations],
            correlation_ids=[o.correlation_id for o in operations],
            actors=[o.actor for o in operations],
            recovers=[o.recover for o in operations],
            publications=[o.publication for o in operations],
            terms=[None if o.terms is PLAIN_TERMS else o.terms.stored() for o in operations],
            runner=runner,
            now=now,
        )
        return {row["id"] for row in rows}

    async def operations(self, ids: Sequence[str]) -> dict[str, Known]:
        """Those of the operations that are known."""
        rows = await SQL.fetch(self._conn, "find_operations", ids=list(ids))
        return {row["id"]: _known(row) for row in rows}

    async def wish_cancels(self, wishes: Iterable[tuple[str, str]]) -> None:
        """Rows of operation and reason; the first reason stays."""
        first: dict[str, str] = {}
        for operation_id, reason in wishes:
            first.setdefault(operation_id, reason)
        ids, reasons = columns(sorted(first.items()), 2)
        await SQL.fetch(self._conn, "lock_operations", ids=ids)
        await SQL.run(self._conn, "wish_cancels", ids=ids, reasons=reasons)

    # -- work -----------------------------------------------------------------------------------------------------

    async def load(self, ids: Sequence[str]) -> list[Loaded]:
        """The operations that have not ended."""
        return [_loaded(row) for row in await SQL.fetch(self._conn, "load_operations", ids=list(ids))]

    async def grounds(self, pairs: Iterable[Pair]) -> list[tuple[Site, Deployment]]:
        """What lies on each of these known sites, in order."""
        sites, apps = columns(list(pairs), 2)
        rows = await SQL.fetch(self._conn, "find_grounds", sites=sites, apps=apps)
        return [(_site(row["site"], row), _deployment(row)) for row in rows]

    async def revisions(self, deployed: Iterable[tuple[str, str, Iterable[str]]]) -> dict[Pair, list[Recorded]]:
        """What drivers recorded for the components of each deployment, by site, app and the releases that matter."""
        rows = [(site, app, " ".join(versions)) for site, app, versions in deployed]
        sites, apps, versions = columns(rows, 3)
        found: dict[Pair, list[Recorded]] = {}
        for row in await SQL.fetch(self._conn, "find_revisions", sites=sites, apps=apps, versions=versions):
            found.setdefault((row["site"], row["app"]), []).append(_recorded(row))
        return found

    async def bundles(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """The digests of the bundles of those releases that are known."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "find_bundles", apps=apps, versions=versions)
        return {(row["app"], row["version"]): row["bundle_sha256"] for row in rows}

    async def contents(self, pairs: Iterable[Pair]) -> dict[Pair, Published]:
        """What is deployed of each release, as far as they are known."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "find_contents", apps=apps, versions=versions)
        return {(row["app"], row["version"]): _published(row) for row in rows}

    async def wishes(self, ids: Sequence[str]) -> dict[str, str]:
        """Those that somebody wants stopped, with the reason."""
        rows = await SQL.fetch(self._conn, "find_wishes", ids=list(ids))
        return {row["id"]: row["cancel_reason"] for row in rows}

    async def save_courses(self, runner: str, saved: Iterable[SavedRow], *, told: bool) -> dict[str, int]:
        """By the id of each that this runner still holds, and only these were saved, the number of its last event.

        `told`: an event of each says how far it has come; the number is that event's.
        """
        # In one order, so that whoever cancels some of them does not wait for us, and we for them.
        rows = [(s.id, _COURSE.dump_python(s.course, mode="json"), s.state) for s in sorted(saved, key=ID)]
        arguments = dict(zip(("ids", "courses", "states"), columns(rows, 3), strict=True))
        found = await SQL.fetch(self._conn, "save_courses", runner=runner, told=told, **arguments)
        return {row["id"]: row["sequence"] for row in found}

    # -- who works on what ----------------------------------------------------------------------------------------

    async def add_runner(self, runner: str, instance: str, seconds: float) -> None:
        """A lease for a runner that begins; its predecessor under the same name has ended."""
        await SQL.run(self._conn, "end_former_runner", instance=instance)
        await SQL.run(self._conn, "add_runner", id=runner, instance=instance, lease=timedelta(seconds=seconds))

    async def extend_runner(self, runner: str, seconds: float) -> bool:
        """Heartbeat; False when the lease was lost."""
        return await SQL.run(self._conn, "extend_runner", id=runner, lease=timedelta(seconds=seconds)) == 1

    async def release_lapsed(self) -> int:
        """Let go of what runners held that fell silent; how many operations wait again."""
        return await SQL.run(self._conn, "release_lapsed")

    async def runners(self) -> int:
        """How many have a lease: deployers that live."""
        return int(await SQL.value(self._conn, "count_runners") or 0)

    async def remove_runner(self, runner: str) -> None:
        """End a runner and let go of what it held."""
        await SQL.run(self._conn, "remove_runner", id=runner)

    async def claimed_by(self, runner: str) -> list[Claim]:
        """What a runner holds."""
        return [Claim(r["id"], r["claims"]) for r in await SQL.fetch(self._conn, "claimed_by", runner=runner)]

    async def claim_operations(self, runner: str, limit: int) -> list[Claim]:
        """Up to `limit` operations that waited, now held by `runner`; none when its lease has ended."""
        rows = await SQL.fetch(self._conn, "claim_operations", runner=runner, limit=limit)
        return [Claim(row["id"], row["claims"]) for row in rows]

    # -- results --------------------------------------------------------------------------------------------------

    async def finish_operations(self, runner: str, ended: Iterable[FinishedRow], now: datetime) -> dict[str, int]:
        """End operations; by the id of each that `runner` still held, the number of its last event."""
        rows = [(end.id, end.state, plan_json(end.plan), end.alone) for end in sorted(ended, key=ID)]
        ids, states, plans, alone = columns(rows, 4)
        arguments = {"runner": runner, "ids": ids, "states": states, "plans": plans, "alone": alone, "now": now}
        return {row["id"]: row["sequence"] for row in await SQL.fetch(self._conn, "finish_operations", **arguments)}

    async def keep_releases(self, pairs: Iterable[Pair]) -> set[Pair]:
        """Those of the releases that are there; nobody deletes them before this transaction has ended."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "keep_releases", apps=apps, versions=versions)
        return {(row["app"], row["version"]) for row in rows}

    async def put_deployments(self, left: Iterable[tuple[Operation, Deployment]]) -> dict[str, int]:
        """Deployments as these operations left them; by operation, the how many-th it was there."""
        rows = [
            (o.site, o.app, d.version, d.status, " ".join(d.leftovers), " ".join(d.history), d.overrides or None, o.id)
            for o, d in sorted(left, key=lambda each: (each[0].site, each[0].app))
        ]
        names = ("sites", "apps", "versions", "statuses", "leftovers", "histories", "overrides", "operation_ids")
        found = await SQL.fetch(self._conn, "put_deployments", **dict(zip(names, columns(rows, 8), strict=True)))
        return {row["operation_id"]: row["nth"] for row in found}

    async def put_revisions(self, rows: Sequence[tuple[str, str, Recorded]]) -> None:
        """Rows of site, app and what was recorded there."""
        flat = [
            (s, a, r.component, r.version, r.revision, r.driver, r.digest, dict(r.secrets) or None) for s, a, r in rows
        ]
        names = ("sites", "apps", "components", "versions", "revisions", "drivers", "digests", "secrets")
        await SQL.run(self._conn, "put_revisions", **dict(zip(names, columns(flat, 8), strict=True)))

    async def drop_components(self, rows: Sequence[tuple[str, str, Recorded]]) -> None:
        """Forget what was recorded of these components, of one release each."""
        sites, apps, components, versions = columns([(s, a, r.component, r.version) for s, a, r in rows], 4)
        named = {"sites": sites, "apps": apps, "components": components, "versions": versions}
        await SQL.run(self._conn, "drop_components", **named)

    async def drop_revisions(self, pairs: Iterable[Pair]) -> None:
        """Forget what was recorded for deployments that were removed."""
        sites, apps = columns(list(pairs), 2)
        await SQL.run(self._conn, "drop_revisions", sites=sites, apps=apps)


def _recorded(row: asyncpg.Record) -> Recorded:
    secrets_: Versions = tuple(sorted(row["secrets"].items())) if row["secrets"] else NO_SECRETS
    return Recorded(row["component"], row["version"], row["revision"], row["driver"], row["digest"], secrets_)


def _named(connections: Mapping[str, Any]) -> str:
    """The secrets that they name, as words."""
    return " ".join(sorted(names_in(connections)))


def _release_row(release: catalog.ReleaseAvailable) -> dict[str, Any]:
    row = release.model_dump(
        mode="json",
        include={"app", "version", "scheme", "upgrades_from", "bundle_sha256", "max_parallel_components"},
    )
    return row | {
        "components": [component.model_dump(mode="json", exclude_defaults=True) for component in release.components],
        "drivers": sorted({component.driver for component in release.components}),
        "rules": release.rules.model_dump(mode="json", exclude_defaults=True),
    }


def _release(row: asyncpg.Record) -> Release:
    """With what is known of it beside what it says itself."""
    release = release_of(row)
    return replace(
        release,
        deleting=row["deleting"],
        relied_on=row["relied_on"],
        forbidden=forbidden(row["forbidden"], release.rules.behaviour.forbidden),
    )


def _published(row: asyncpg.Record) -> Published:
    components = _COMPONENTS.validate_python(row["components"], extra="ignore")
    rules = rules_of(row["rules"])
    return Published(row["version"], row["bundle_sha256"], components, row["max_parallel_components"], rules)


def _facts(site: str, row: asyncpg.Record) -> Facts:
    return Facts(
        site=_site(site, row) if row["site_known"] else None,
        deployment=_deployment(row),
        held_by=(row["strategy_id"], row["strategy"]) if row["strategy_id"] else None,
        busy_with=row["busy_with"],
        set_now=in_order(row["set_now"]) if row["set_now"] else (),
    )


_NOTHING = Deployment()


def _deployment(row: asyncpg.Record) -> Deployment:
    if row["status"] is None:
        return _NOTHING
    status = DeploymentStatus(row["status"])
    prestaged = prestaged_of(row["prestaged"]) if row["prestaged"] else ()
    overrides = {v: tuple(refs) for v, refs in row["overrides"].items()} if row["overrides"] else NOTHING_SET
    return Deployment(row["version"], status, tuple(row["leftovers"]), tuple(row["history"]), prestaged, overrides)


def _site(name: str, row: asyncpg.Record) -> Site:
    return Site(name, row["connections"], row["simplex"], row["managed"], row["maintenance"], tuple(row["alarms"]))


def _loaded(row: asyncpg.Record) -> Loaded:
    operation = Operation(
        id=row["id"],
        site=row["site"],
        app=row["app"],
        kind=OperationKind(row["kind"]),
        from_version=row["from_version"],
        to_version=row["to_version"],
        timeout_seconds=row["timeout_seconds"],
        strategy_id=row["strategy_id"],
        correlation_id=row["correlation_id"],
        actor=row["actor"],
        force=row["force"],
        run_id=row["run_id"],
        recover=row["recover"],
        publication=row["publication"],
        terms=Terms.of(row["terms"]) if row["terms"] else PLAIN_TERMS,
    )
    site, refused = _site(row["site"], row), row["refused"] and Cause.model_validate(row["refused"])
    asked = row["requested_at"]
    return Loaded(operation, site, _deployment(row), _course(row), row["cancel_reason"], refused, asked)


_PHASES = frozenset(Phase)


def _known(row: asyncpg.Record) -> Known:
    phase = Phase(row["phase"]) if row["phase"] in _PHASES else None  # a later version may have saved it
    return Known(row["site"], row["strategy_id"], row["finished"], OperationKind(row["kind"]), phase)


def _course(row: asyncpg.Record) -> Course | None:
    """One that another version of the deployer saved, and that cannot be read, is walked anew."""
    try:
        return None if row["course"] is None else _COURSE.validate_python(row["course"])
    except ValidationError:
        log.warning("an operation is walked anew", action="course_unreadable", operation=row["id"])
        return None


@lru_cache(maxsize=1024)
def plan_json(plan: Plan) -> str:
    """A plan as it is stored; thousands of operations share a few plans."""
    return _PLAN.dump_json(plan).decode()
