"""What sites are, what is deployed there, and what might be: each query typed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from services.deployer.dependencies.needs import Present, Surroundings
from services.deployer.domain import Release
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import PLAIN, Rules
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def surroundings(conn: Connection, sites: Iterable[str]) -> dict[str, Surroundings]:
    """What these sites are and have, by site."""
    rows = await SQL.fetch(conn, "find_surroundings", sites=sorted(set(sites)))
    return {row["site"]: Surroundings(row["facts"], _apps(row["apps"])) for row in rows}


def _apps(rows: Sequence[Sequence[Any]]) -> Mapping[str, Present]:
    return {app: Present(app, version, scheme, rules_of(rules), gone) for app, version, scheme, rules, gone in rows}


async def releases_of(conn: Connection, apps: Iterable[str]) -> dict[str, list[Release]]:
    """All releases of these apps that were not withdrawn, by app."""
    found: dict[str, list[Release]] = {}
    for row in await SQL.fetch(conn, "list_releases", apps=sorted(set(apps))):
        found.setdefault(row["app"], []).append(release_of(row))
    return found


def release_of(row: asyncpg.Record) -> Release:
    """What the row of a release says of itself."""
    ranges = row["upgrades_from"]
    return Release(
        app=row["app"],
        version=row["version"],
        scheme=row["scheme"],
        upgrades_from=None if ranges is None else tuple(ranges),
        drivers=tuple(row["drivers"]),
        withdrawn=row["withdrawn"],
        rules=rules_of(row["rules"]),
    )


def rules_of(stored: Mapping[str, Any]) -> Rules:
    """What a release says, of which only what is not usual is kept."""
    return Rules.model_validate(stored, extra="ignore", context=IN_AN_EVENT) if stored else PLAIN


async def rely_on(conn: Connection, apps: Iterable[str]) -> None:
    """Some release names these apps: whoever changes them is asked what others need of them."""
    await SQL.run(conn, "rely_on", apps=sorted(set(apps)))


async def apps_relied_on(conn: Connection) -> frozenset[str]:
    """All apps that some release names."""
    return frozenset(row["app"] for row in await SQL.fetch(conn, "apps_relied_on"))
