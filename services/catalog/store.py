"""The catalog's rows: one typed method a query."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from pydantic import TypeAdapter

from services.catalog.dependencies import Needing
from services.catalog.domain import AppFacts, Bundle, Content, Release, State
from shared.blobs import Stored
from shared.bundle import Claim, Host
from shared.messages.base import Fault
from shared.messages.catalog import Origin, PublishRelease
from shared.messages.deployer import HostReported
from shared.messages.manifest import Verified
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import AnyDependency
from shared.process.db import Connection, Queries, columns
from shared.versions import Scheme, canonical, is_valid_version, spelt_as

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def lock_store(conn: Connection, *, shared: bool = False) -> None:
    """Until the transaction ends: shared, nothing is freed; else, nothing is published."""
    await SQL.row(conn, "lock_store_shared" if shared else "lock_store")


async def lock_bundles(conn: Connection, digests: Iterable[str]) -> dict[str, Bundle]:
    """The known ones of these bundles by digest, locked until the transaction ends."""
    asked = list(digests)
    await SQL.fetch(conn, "lock_bundles", digests=asked)
    rows = await SQL.fetch(conn, "find_bundles", digests=asked)
    return {
        row["sha256"]: Bundle(
            sha256=row["sha256"],
            state=State(row["state"]),
            release_id=row["release_id"],
            app=row["app"],
            version=row["version"],
            withdrawn_reason=row["withdrawn_reason"],
        )
        for row in rows
    }


async def receive_bundles(
    conn: Connection, commands: Sequence[PublishRelease], found: Mapping[str, Stored | None], now: datetime
) -> None:
    """Set these bundles, new or rejected ones, to validating, as they were found. Each may be named once."""
    rows = [
        (c.bundle_sha256, c.bundle_bytes, c.file_name, stored.since if stored else None)
        for c in commands
        for stored in (found[c.bundle_sha256],)
    ]
    digests, sizes, names, since = columns(rows, 4)
    values = {"digests": digests, "sizes": sizes, "file_names": names, "stored": since}
    await SQL.run(conn, "receive_bundles", **values, now=now)


async def hold_app(conn: Connection, release: Claim) -> AppFacts:
    """What is known of a release's app, created if new; its other releases wait until the transaction ends."""
    scheme = await SQL.value(conn, "hold_app", app=release.app, scheme=release.scheme)
    same = canonical(scheme, release.version) if is_valid_version(scheme, release.version) else release.version
    twin = await SQL.row(conn, "find_twin", app=release.app, canonical=same)
    return AppFacts(scheme, twin["version"] if twin else None)


async def others_available(conn: Connection) -> dict[str, list[Needing]]:
    """All releases that are available, by app; who else asks for them waits until the transaction ends."""
    await SQL.row(conn, "lock_dependencies")
    found: dict[str, list[Needing]] = {}
    for row in await SQL.fetch(conn, "available_releases"):
        depends_on = _DEPENDENCIES.validate_python(row["depends_on"] or (), extra="ignore", context=IN_AN_EVENT)
        found.setdefault(row["app"], []).append(Needing(row["app"], row["version"], row["scheme"], depends_on))
    return found


_DEPENDENCIES: TypeAdapter[tuple[AnyDependency, ...]] = TypeAdapter(tuple[AnyDependency, ...])


class Settling(NamedTuple):
    """A bundle that has just been settled."""

    sequence: int
    """Of the event about it."""
    origin: Origin | None


async def reject_bundle(conn: Connection, sha256: str, faults: Sequence[Fault], now: datetime) -> Settling | None:
    """Reject a bundle that is being validated; None when it is not."""
    listed = [fault.model_dump(mode="json") for fault in faults]
    return _settling(await SQL.row(conn, "reject_bundle", sha256=sha256, faults=listed, now=now))


async def accept_bundle(conn: Connection, sha256: str, now: datetime) -> Settling | None:
    """Make a bundle that is being validated available; None when it is not."""
    return _settling(await SQL.row(conn, "accept_bundle", sha256=sha256, now=now))


def _settling(row: asyncpg.Record | None) -> Settling | None:
    if row is None:
        return None
    return Settling(row["sequence"], Origin.model_validate(row["origin"]) if row["origin"] else None)


async def add_release(conn: Connection, release_id: str, sha256: str, manifest: Verified, now: datetime) -> None:
    """Write a release with its components and upgrade edges."""
    await SQL.run(
        conn,
        "add_release",
        id=release_id,
        app=manifest.app,
        version=manifest.version,
        canonical=canonical(manifest.scheme, manifest.version),
        description=manifest.description,
        sha256=sha256,
        upgrades_from_any=manifest.upgrades_from is None,
        max_parallel=manifest.max_parallel_components,
        rules=manifest.rules.model_dump(mode="json", exclude_defaults=True),
        images=list(manifest.images),
        notices=list(manifest.notices),
        now=now,
    )
    parts: list[tuple[Any, ...]] = [
        (c.name, c.driver, " ".join(c.after), c.enabled, c.timeout_seconds, c.files_sha256, c.spec)
        for c in manifest.components
    ]
    names = ("names", "drivers", "after", "enabled", "timeouts", "files", "specs")
    await SQL.run(conn, "add_components", release_id=release_id, **dict(zip(names, columns(parts, 7), strict=True)))
    await SQL.run(conn, "add_edges", release_id=release_id, ranges=list(manifest.upgrades_from or ()))


async def as_published(conn: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """By (app, version) as asked for: the same as its release is written. What is no release stays as it is."""
    asked = list(names)
    schemes: dict[str, Scheme] = {}
    known: dict[str, list[str]] = {}
    for row in await SQL.fetch(conn, "list_versions", apps=sorted({app for app, _ in asked})):
        schemes[row["app"]] = row["scheme"]
        known.setdefault(row["app"], []).append(row["version"])
    return {
        (app, version): (app, (spelt_as(schemes[app], version, known[app]) if app in known else None) or version)
        for app, version in asked
    }


async def lock_releases(conn: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Release]:
    """The known ones of these releases by (app, version), locked until the transaction ends."""
    apps, wanted = columns(list(names), 2)
    rows = await SQL.fetch(conn, "lock_releases", apps=apps, versions=wanted)
    return {(row["app"], row["version"]): _release(row) for row in rows}


async def find_release_of(conn: Connection, bundle_sha256: str) -> Release | None:
    """The release that a bundle became, locked until the transaction ends; None when it is none any more."""
    row = await SQL.row(conn, "lock_release_of", sha256=bundle_sha256)
    return _release(row) if row else None


async def withdraw_releases(conn: Connection, reasons: dict[str, str], now: datetime) -> None:
    """Withdraw available releases, by id, each with its reason."""
    ids, texts = columns(list(reasons.items()), 2)
    await SQL.run(conn, "withdraw_bundles", ids=ids, now=now)
    await SQL.run(conn, "note_reasons", ids=ids, reasons=texts)


async def note_unneeded(conn: Connection, digests: Sequence[str], now: datetime) -> None:
    """Withdrawn releases, by the digests of their bundles, that no site could go back to."""
    await SQL.run(conn, "note_unneeded", digests=list(digests), now=now)


async def contents_of(conn: Connection, digests: Sequence[str]) -> dict[str, Content]:
    """These digests, as far as their content is concerned."""
    rows = await SQL.fetch(conn, "contents_of", digests=list(digests))
    return {row["sha256"]: _content(row) for row in rows}


async def lock_content(conn: Connection, sha256: str) -> Content:
    """The same of one, locked until the transaction ends."""
    await SQL.row(conn, "lock_bundle", sha256=sha256)
    return (await contents_of(conn, [sha256]))[sha256]


async def mark_freed(conn: Connection, sha256: str, now: datetime) -> list[str]:
    """Its content is gone from the blob store; the digests of what was prepared of it, which may go now, too."""
    await SQL.run(conn, "mark_freed", sha256=sha256, now=now)
    await SQL.run(conn, "forget_blob", sha256=sha256)
    return [row["sha256"] for row in await SQL.fetch(conn, "blobs_prepared_of", bundle_sha256=sha256)]


async def put_hosts(conn: Connection, reports: Sequence[tuple[HostReported, datetime]]) -> None:
    """What hosts said of themselves, unless something newer is known. Each may be named once."""
    rows = [(r.host, r.model_dump(mode="json", include={"environment", "abis", "platforms"}), at) for r, at in reports]
    names, facts, heard = columns(rows, 3)
    await SQL.run(conn, "put_hosts", names=names, facts=facts, heard=heard)


async def hosts(conn: Connection, since: datetime) -> list[Host]:
    """Those that were heard since then, or, when none was, all that ever were."""
    rows = await SQL.fetch(conn, "hosts_heard", since=since)
    return [_host(row["name"], row["facts"]) for row in rows]


async def tell_storage(conn: Connection, told: Mapping[str, int | None]) -> int | None:
    """Keep what is said of the blob store; the sequence of the event about it, None when that was said last."""
    sequence: int | None = await SQL.value(conn, "tell_storage", told=dict(told))
    return sequence


def _release(row: asyncpg.Record) -> Release:
    return Release(row["id"], row["app"], row["version"], State(row["state"]), row["sequence"], row["sha256"])


def _content(row: asyncpg.Record) -> Content:
    return Content(
        row["sha256"],
        State(row["state"]) if row["state"] else None,
        row["settled_at"],
        row["stored_since"],
        row["unneeded_at"],
        row["held"],
        row["let_go_at"],
        row["prepared"],
    )


def _host(name: str, facts: Mapping[str, Any]) -> Host:
    return Host(name, facts["environment"], tuple(facts["abis"]), tuple(facts["platforms"]))
