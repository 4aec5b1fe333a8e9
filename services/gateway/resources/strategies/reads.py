"""Strategies: what is read of them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.gateway.resources.strategies.store import SQL
from shared.process.db import Connection


async def page(
    conn: Connection, before: tuple[datetime, str], limit: int, *, state: str | None, deleted: bool
) -> list[asyncpg.Record]:
    """Strategies, newest first, before (created_at, id); deleted ones only if asked for."""
    at, key = before
    named = {"before_at": at, "before_id": key, "limit": limit}
    return await SQL.fetch(conn, "list_strategies", **named, state=state, deleted=deleted)


async def find(conn: Connection, key: str) -> asyncpg.Record | None:
    """The strategy with this id, or with this name and not deleted."""
    return await SQL.row(conn, "find_strategy", key=key)


async def known(conn: Connection, strategy_ids: Sequence[str]) -> set[str]:
    """Those of the strategies that there are."""
    return {row["strategy_id"] for row in await SQL.fetch(conn, "known_strategies", ids=list(strategy_ids))}


async def stages_of(conn: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Stages in order, by strategy id."""
    stages: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await SQL.fetch(conn, "stages_of", ids=list(ids)):
        stages[row["strategy_id"]].append(dict(row))
    return stages


async def steps(
    conn: Connection, strategy_id: str, after: tuple[int, str], limit: int, *, stage: int | None, state: str | None
) -> list[asyncpg.Record]:
    """Steps by (stage, site) after `after`."""
    named = {"strategy_id": strategy_id, "after_stage": after[0], "after_site": after[1], "limit": limit}
    return await SQL.fetch(conn, "list_steps", **named, stage=stage, state=state)


async def step(conn: Connection, strategy_id: str, site: str) -> asyncpg.Record | None:
    """A site's part of a strategy."""
    return await SQL.row(conn, "find_step", strategy_id=strategy_id, site=site)


async def attempts_of(conn: Connection, strategy_id: str, site: str, limit: int) -> list[asyncpg.Record]:
    """The first operations of a step, as they became known."""
    return await SQL.fetch(conn, "attempts_of", strategy_id=strategy_id, site=site, limit=limit)


async def timeline(conn: Connection, strategy_id: str, after: int, limit: int) -> list[asyncpg.Record]:
    """What happened, oldest first, after the position `after`."""
    return await SQL.fetch(conn, "list_timeline", strategy_id=strategy_id, after=after, limit=limit)
