"""What the catalog said of releases. One typed method a query of releases.sql."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from services.strategy_orchestrator.strategies import Release
from shared.messages.catalog import ReleaseAvailable, ReleaseDeleted, ReleaseWithdrawn
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import SiteRequirement
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("releases.sql"))


async def put_releases(conn: Connection, releases: Sequence[ReleaseAvailable]) -> None:
    """Note releases; a repeated event changes nothing."""
    last = {(r.app, r.version): r for r in releases}
    rows = [
        (r.app, r.version, r.scheme, "|".join(r.upgrades_from or ()), r.upgrades_from is None, _drivers(r), _needs(r))
        for r in last.values()
    ]
    names = ("apps", "versions", "schemes", "ranges", "anywhere", "drivers", "needs")
    await SQL.run(conn, "put_releases", **dict(zip(names, columns(rows, 7), strict=True)))


def _drivers(release: ReleaseAvailable) -> str:
    return " ".join(sorted({component.driver for component in release.components}))


def _needs(release: ReleaseAvailable) -> dict[str, Any]:
    return release.rules.site.model_dump(mode="json", exclude_defaults=True)


async def withdraw_releases(conn: Connection, releases: Sequence[ReleaseWithdrawn]) -> None:
    """Note that releases are out of use."""
    apps, versions = columns([(r.app, r.version) for r in releases], 2)
    await SQL.run(conn, "withdraw_releases", apps=apps, versions=versions)


async def delete_releases(conn: Connection, releases: Sequence[ReleaseDeleted]) -> None:
    """Forget releases that are gone."""
    apps, versions = columns([(r.app, r.version) for r in releases], 2)
    await SQL.run(conn, "delete_releases", apps=apps, versions=versions)
    await SQL.run(conn, "forget_history", apps=apps, versions=versions)


async def releases_of(conn: Connection, app: str) -> dict[str, Release]:
    """Every release of an app by version."""
    return {row["version"]: _release(row) for row in await SQL.fetch(conn, "releases_of", app=app)}


def _release(row: asyncpg.Record) -> Release:
    ranges, drivers = row["upgrades_from"], row["drivers"]
    return Release(
        scheme=row["scheme"],
        upgrades_from=None if ranges is None else tuple(ranges),
        drivers=None if drivers is None else frozenset(drivers),
        withdrawn=row["withdrawn"],
        needs=_read(row["needs"]) if row["needs"] else None,
    )


def _read(needs: dict[str, Any]) -> SiteRequirement:
    """As the catalog told them, also in words that only a newer version knows."""
    return SiteRequirement.model_validate(needs, extra="ignore", context=IN_AN_EVENT)


async def withdrawn_targets(conn: Connection, strategy_id: str) -> list[str]:
    """The releases that waiting steps of a strategy are to reach and that were withdrawn."""
    return [row["version"] for row in await SQL.fetch(conn, "withdrawn_targets", strategy_id=strategy_id)]
