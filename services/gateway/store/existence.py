"""Whether what a filter names is there at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_suffix(".sql"))


class Unknown(NamedTuple):
    """A name that nothing of its kind has."""

    field: str
    kind: str
    name: str


async def unknown_names(conn: Connection, named: Mapping[str, tuple[str, str]]) -> list[Unknown]:
    """Those of the names, by field as (kind, name), that nothing has. Kinds: site, group, strategy, app."""
    kinds, names = [kind for kind, _ in named.values()], [name for _, name in named.values()]
    rows = await SQL.fetch(conn, "unknown_names", fields=list(named), kinds=kinds, names=names)
    return [Unknown(*row) for row in rows]
