"""What the door reads of the gateway's read models, in the shapes that `standing` takes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.gateway.doors.sysinv import words
from services.gateway.doors.sysinv.standing import Deployed, Known, Operation, Release, Upload
from shared.process.db import Connection, Queries
from shared.values.layers import Layer

SQL = Queries(Path(__file__).with_name("queries.sql"))

UPLOAD, PUT_AWAY = "upload", "put away"
"""Kinds of keys in the door's map: `<app>/<version>/<publication>`, and ids of that whose failure a client has seen."""

SHOWN_FOR = timedelta(days=30)
UNDER_WAY_FOR = timedelta(days=1)
"""Of a publication that nothing is heard of so long nothing will be."""

Here = Mapping[tuple[str, str], Any]
"""By app and site."""


async def sites_of_group(conn: Connection, group: str) -> list[str]:
    """Names of the sites of a group."""
    return [row["name"] for row in await SQL.fetch(conn, "sites_of_group", group=group)]


async def known(conn: Connection, door: str, sites: Sequence[str], app: str | None = None) -> dict[str, list[Known]]:
    """By app, what is known of it on each of these sites, in their order; of one app only, if it is given."""
    named = {"sites": list(sites), "app": app}
    releases = await _releases(conn, app)
    deployments = {(row["app"], row["site"]): row for row in await SQL.fetch(conn, "deployments", **named)}
    running = {(row["app"], row["site"]): _operation(row) for row in await SQL.fetch(conn, "running", **named)}
    last = await _last(conn, [row["operation_id"] for row in deployments.values() if row["operation_id"]])
    uploads = {name: upload for name, upload in (await _uploads(conn, door)).items() if app in (None, name)}
    away = await _put_away(conn, door, [*last, *(upload.publication for upload in uploads.values())])
    names = sorted({*releases, *(name for name, _ in (*deployments, *running)), *uploads})

    def one(name: str, site: str) -> Known:
        row = deployments.get((name, site))
        return Known(
            name=name,
            releases=releases.get(name, ()),
            deployed=Deployed(row["version"], row["status"], row["at"]) if row else None,
            running=running.get((name, site)),
            last=last.get(row["operation_id"]) if row else None,
            upload=uploads.get(name),
            put_away=away,
        )

    return {name: [one(name, site) for site in sites] or [one(name, "")] for name in names}


async def _releases(conn: Connection, app: str | None) -> dict[str, list[Release]]:
    found: dict[str, list[Release]] = defaultdict(list)
    for row in await SQL.fetch(conn, "releases", app=app):
        found[row["app"]].append(Release(row["version"], row["published_at"]))
    return found


async def _last(conn: Connection, ids: list[str]) -> dict[str, Operation]:
    rows = await SQL.fetch(conn, "ended", ids=ids) if ids else []
    return {row["operation_id"]: _operation(row) for row in rows}


def _operation(row: Any) -> Operation:
    cause = row["cause"] or {}
    kept = {name: row[name] for name in Operation._fields if name not in ("code", "message")}
    return Operation(**kept, code=cause.get("code"), message=cause.get("message", ""))


async def _uploads(conn: Connection, door: str) -> dict[str, Upload]:
    """The last one of each app."""
    now = datetime.now(UTC)
    since = {"since": now - SHOWN_FOR, "under_way_since": now - UNDER_WAY_FOR}
    found = {}
    for row in await SQL.fetch(conn, "uploads", door=door, **since):
        app, version, publication = row["key"].split("/", 2)
        state = row["state"] or "under_way"
        upload = Upload(publication, row["version"] or version, state, _upload_progress(row), row["given_at"])
        found[row["app"] or app] = upload
    return found


def _upload_progress(row: Any) -> str | None:
    if row["faults"]:
        return "; ".join(fault["message"] for fault in row["faults"])
    return words.DOWNLOADING if row["phase"] == "fetch" else words.VALIDATING


async def _put_away(conn: Connection, door: str, keys: list[str]) -> frozenset[str]:
    rows = await SQL.fetch(conn, "put_away", door=door, keys=keys) if keys else []
    return frozenset(row["key"] for row in rows)


async def strategies(conn: Connection, names: Iterable[str]) -> dict[str, asyncpg.Record]:
    """By name, strategies that have not been put away."""
    return {row["name"]: row for row in await SQL.fetch(conn, "strategies", names=list(names))}


async def strategy(conn: Connection, id_: str) -> asyncpg.Record | None:
    """How a strategy stands; None when nothing was said of it yet."""
    return await SQL.row(conn, "strategy", id=id_)


async def components(conn: Connection, app: str, version: str) -> list[dict[str, Any]]:
    """The components of a release; none of one that is not known."""
    return list(await SQL.value(conn, "components", app=app, version=version) or [])


async def bundles_named(conn: Connection, file_name: str, app: str | None, version: str | None) -> list[asyncpg.Record]:
    """App and version of available releases that came in a file of this name, the last one first."""
    return await SQL.fetch(conn, "bundles_named", file_name=file_name, app=app, version=version)


async def publication(conn: Connection, id_: str) -> asyncpg.Record | None:
    """How a publication stands; None when nothing was said of it yet."""
    return await SQL.row(conn, "publication", id=id_)


async def operation(conn: Connection, id_: str) -> Operation | None:
    """How an operation stands; None when nothing was said of it yet."""
    row = await SQL.row(conn, "operation", id=id_)
    return _operation(row) if row else None


async def versions(conn: Connection, app: str) -> list[asyncpg.Record]:
    """The releases of an app that are available, the one published last first, and how their deletion stands."""
    return await SQL.fetch(conn, "versions", app=app)


async def last_runs(conn: Connection, sites: Sequence[str]) -> list[asyncpg.Record]:
    """Of each of these sites the last run over all its apps."""
    return await SQL.fetch(conn, "last_runs", sites=list(sites))


async def layers(
    conn: Connection, app: str, site: str | None, group: str | None
) -> dict[str, tuple[tuple[Layer, ...], Layer]]:
    """By component, what is set for it above the level of the door, the weakest first, and at that level."""
    own = "group" if group else "site"
    found: dict[str, tuple[tuple[Layer, ...], Layer]] = {}
    for row in await SQL.fetch(conn, "layers", app=app, site=site, group=group):
        above, at_it = found.get(row["component"], ((), Layer()))
        layer = Layer(row["given"], row["enabled"], row["namespace"])
        found[row["component"]] = (above, layer) if row["level"] == own else ((*above, layer), at_it)
    return found


async def is_set(conn: Connection, app: str, level: str, target: str, component: str, nth: int) -> bool:
    """Whether the `nth` change of what is set there can be read."""
    named = {"app": app, "level": level, "target": target, "component": component}
    return bool(await SQL.value(conn, "is_set", **named, nth=nth))
