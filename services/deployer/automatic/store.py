"""How apps behave, and which releases failed: each query typed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from shared.messages.automatic import FailedOn, Switches
from shared.messages.base import Cause
from shared.messages.opening import IN_AN_EVENT
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class Said(NamedTuple):
    """What people said of an app's behaviour, and how often they changed it."""

    switches: Switches
    nth: int


class Failure(NamedTuple):
    """A release that failed on a site, in which operation, and why."""

    app: str
    version: str
    site: str
    operation_id: str
    cause: Cause
    at: datetime


class Standing(NamedTuple):
    """How a release stands after failures were added or cleared. `nth`: of its events."""

    app: str
    version: str
    nth: int
    failures: int
    last: tuple[FailedOn, ...]


async def said_of(conn: Connection, app: str) -> Said:
    """What people said of an app; its row is locked until the transaction ends, so that no change is lost."""
    row = await SQL.row(conn, "lock_behaviour", app=app)
    return Said(switches_of(row["switches"]), row["nth"]) if row else Said(Switches(), 0)


def switches_of(stored: Mapping[str, Any]) -> Switches:
    """What was said once holds, also where it would be refused today."""
    return Switches.model_validate(stored, context=IN_AN_EVENT)


async def put_behaviour(conn: Connection, app: str, switches: Switches, nth: int) -> None:
    """Keep what people say of an app."""
    await SQL.run(conn, "put_behaviour", app=app, switches=switches.model_dump(mode="json", exclude_none=True), nth=nth)


async def app_known(conn: Connection, app: str) -> bool:
    """Whether any release of it was ever published."""
    return bool(await SQL.value(conn, "app_known", app=app))


async def release_known(conn: Connection, app: str, version: str) -> bool:
    """Whether there is, or was, this release."""
    return bool(await SQL.value(conn, "release_known", app=app, version=version))


async def add_failures(conn: Connection, failures: Iterable[Failure]) -> list[Standing]:
    """Note that releases failed (each on a site once), and how they stand now."""
    rows = [(f.app, f.version, f.site, f.operation_id, f.cause.model_dump(), f.at) for f in failures]
    names = ("apps", "versions", "sites", "operations", "causes", "ats")
    await SQL.run(conn, "add_failures", **dict(zip(names, columns(rows, 6), strict=True)))
    return await _count(conn, sorted({(row[0], row[1]) for row in rows}))


async def clear_failures(conn: Connection, app: str, version: str, sites: Sequence[str]) -> Standing | None:
    """Forget that a release failed on these sites, or anywhere; None where it did not."""
    cleared = await SQL.fetch(conn, "clear_failures", app=app, version=version, sites=list(sites))
    return (await _count(conn, [(app, version)]))[0] if cleared else None


async def failures_of(conn: Connection, app: str, version: str) -> int:
    """On how many sites a release is known to have failed."""
    return int(await SQL.value(conn, "failures_of", app=app, version=version) or 0)


async def _count(conn: Connection, releases: Sequence[tuple[str, str]]) -> list[Standing]:
    apps, versions = columns(releases, 2)
    await SQL.run(conn, "number_changes", apps=apps, versions=versions)
    rows = await SQL.fetch(conn, "count_failures", apps=apps, versions=versions)
    return [Standing(r["app"], r["version"], r["nth"], r["failures"], _last(r["last"])) for r in rows]


def _last(failures: Sequence[dict[str, object]]) -> tuple[FailedOn, ...]:
    return tuple(FailedOn.model_validate(each) for each in failures)
