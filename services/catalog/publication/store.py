"""The rows of publications that have not ended: one typed method a query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from services.catalog.publication.domain import Import, Publication
from services.catalog.publication.fetching import Answer
from shared.messages.catalog import Origin
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def add_publications(conn: Connection, new: Sequence[tuple[str, Publication]], now: datetime) -> None:
    """Remember publications, each with the digest of its bundle, until their bundles are settled."""
    rows = [(p.id, sha256, p.app or "", p.version or "", p.correlation_id, p.actor) for sha256, p in new]
    names = ("ids", "digests", "apps", "versions", "correlations", "actors")
    await SQL.run(conn, "add_publications", **dict(zip(names, columns(rows, 6), strict=True)), now=now)


async def end_publications(conn: Connection, sha256: str) -> list[Publication]:
    """Those that waited for this bundle; they are forgotten with it."""
    rows = await SQL.fetch(conn, "end_publications", sha256=sha256)
    return [Publication(**dict(row)) for row in rows]


async def add_imports(conn: Connection, new: Mapping[str, Import]) -> None:
    """Remember what is to be fetched, by the ids of the commands."""
    rows = [
        (
            id_,
            i.source,
            i.sha256 or "",
            i.app or "",
            i.version or "",
            i.file_name,
            i.correlation_id,
            i.actor,
            i.asked_at,
        )
        for id_, i in new.items()
    ]
    names = ("ids", "sources", "digests", "apps", "versions", "file_names", "correlations", "actors", "asked")
    await SQL.run(conn, "add_imports", **dict(zip(names, columns(rows, 9), strict=True)))


async def find_import(conn: Connection, id_: str) -> Import | None:
    """One that is being fetched; None when it has come to its end."""
    row = await SQL.row(conn, "find_import", id=id_)
    return Import(**dict(row)) if row else None


async def note_answer(conn: Connection, id_: str, answer: Answer) -> None:
    """By what the source tells the same file again, and what it calls it."""
    await SQL.run(conn, "note_answer", id=id_, validator=answer.validator, file_name=answer.file_name)


async def note_resolved(conn: Connection, id_: str, resolved: str) -> None:
    """What a tag meant; the first answer counts."""
    await SQL.run(conn, "note_resolved", id=id_, resolved=resolved)


async def note_origin(conn: Connection, sha256: str, origin: Origin) -> None:
    """From where the bundle came that is about to be validated."""
    await SQL.run(conn, "note_origin", sha256=sha256, origin=origin.model_dump(mode="json"))


async def waiting(conn: Connection, sha256: str) -> list[str]:
    """The publications that wait for this bundle."""
    return [row["id"] for row in await SQL.fetch(conn, "waiting", sha256=sha256)]


async def went_on(conn: Connection, id_: str) -> None:
    """Something came: whatever trouble there was is over."""
    await SQL.run(conn, "went_on", id=id_)


async def note_trouble(conn: Connection, id_: str, now: datetime) -> datetime:
    """Something that may pass keeps it from going on; since when it does."""
    since: datetime = await SQL.value(conn, "note_trouble", id=id_, now=now)
    return since or now


async def end_import(conn: Connection, id_: str) -> Import | None:
    """It has come to its end, and is forgotten; None when it had before."""
    row = await SQL.row(conn, "end_import", id=id_)
    return Import(**dict(row)) if row else None
