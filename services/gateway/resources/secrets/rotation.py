"""Which deployments were made with other versions of secrets than those of now: one query, none where none has any."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from services.gateway.resources.secrets import store
from shared.process.db import Connection

Deployed = Mapping[str, Any] | asyncpg.Record
"""A row with `secrets`: by name, the version that it was deployed with; None = none."""


async def set_again(conn: Connection, rows: Sequence[Deployed]) -> list[list[dict[str, Any]]]:
    """For each, the secrets that were set again since: name, version that is deployed, version that is there."""
    names = {name for row in rows for name in row["secrets"] or ()}
    now = await store.versions_of(conn, sorted(names)) if names else {}
    return [[_told(n, v, now[n]) for n, v in (row["secrets"] or {}).items() if now.get(n, v) != v] for row in rows]


def _told(name: str, deployed: int, now: int) -> dict[str, Any]:
    return {"name": name, "deployed": deployed, "now": now}
