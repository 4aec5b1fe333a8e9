"""How publications ended that strategies wait for. One typed method a query of publications.sql."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from services.strategy_orchestrator.store.strategies import spec_stored
from shared.messages.base import Fault
from shared.messages.catalog import PublicationSettled
from shared.messages.strategy import StrategySpec, Why
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("publications.sql"))


class Settled(NamedTuple):
    """How a publication ended."""

    state: str
    app: str | None
    version: str | None
    faults: tuple[str, ...]
    """What was wrong with it, each with its place."""
    known: bool
    """Whether the release that it made available is known."""
    at: datetime


async def await_publication(conn: Connection, publication: str, now: datetime) -> bool:
    """Note that a strategy waits for it; whether it has ended already."""
    return bool(await SQL.value(conn, "await_publication", publication=publication, now=now))


async def put_publications(conn: Connection, events: Iterable[PublicationSettled], now: datetime) -> None:
    """Learn how publications ended."""
    kept = {"publication", "state", "app", "version", "faults"}
    settled = {event.publication: event.model_dump(mode="json", include=kept) for event in events}
    await SQL.run(conn, "put_publications", settled=list(settled.values()), now=now)


async def waiting_for(conn: Connection, publications: Sequence[str]) -> list[str]:
    """The ids of strategies that wait for any of them."""
    return [row["id"] for row in await SQL.fetch(conn, "waiting_for", publications=list(publications))]


async def settled(conn: Connection, publications: Sequence[str]) -> dict[str, Settled]:
    """Those of them that have ended."""
    rows = await SQL.fetch(conn, "settled", publications=list(publications)) if publications else []
    return {
        row["id"]: Settled(
            row["state"],
            row["app"],
            row["version"],
            tuple(Fault.model_validate(fault).in_words for fault in row["faults"]),
            row["known"],
            row["at"],
        )
        for row in rows
    }


async def plan_strategy(conn: Connection, strategy_id: str, spec: StrategySpec, left_out: int, why: Why) -> None:
    """One that waited is ready, by a plan of its release."""
    facts = {"version": spec.version, "spec": spec_stored(spec), "left_out": left_out}
    await SQL.run(conn, "plan_strategy", id=strategy_id, **facts, why_code=why.code, why_message=why.message)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget publications that ended before; how many."""
    return await SQL.run(conn, "prune_publications", before=before, limit=limit)
