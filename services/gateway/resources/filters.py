"""A list that is empty because its filter is misspelt looks like good news; so it is refused instead."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from services.gateway.http.problems import Problem
from shared.messages.base import Fault
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_suffix(".sql"))

KINDS = frozenset({"site", "group", "strategy", "app"})
"""Query parameters that name something by itself; the parameter's name is its kind."""


async def refuse_unknown(conn: Connection, rows: Sequence[Any], query: Any) -> None:
    """Raises Problem 422 with every filter that names nothing. Asks only where nothing was found."""
    if rows:
        return
    given = query.model_dump(include=KINDS, exclude_none=True)
    missing = await unknown_names(conn, {field: (field, name) for field, name in given.items()}) if given else []
    if missing:
        raise Problem.of([_fault(*one) for one in missing], 422)  # the list is there; what it is asked is wrong


def _fault(field: str, kind: str, name: str) -> Fault:
    message = f"there is no {kind} '{name}'; without this filter the list shows what there is"
    return Fault(code=f"unknown_{kind}", field=field, message=message, value=name)


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
