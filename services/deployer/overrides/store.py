"""The deployer's rows of overrides: one typed method a query."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from shared.process.db import Connection, Queries, columns
from shared.values.layers import Kept, Layer, Place

SQL = Queries(Path(__file__).with_name("queries.sql"))

_PLACES = ("apps", "levels", "targets", "components", "nths")

Numbered = tuple[Place, int]
"""A change: where it was made, and its number there."""


class Told(NamedTuple):
    """A change as it is told."""

    place: Place
    nth: int
    layer: Layer
    by: str
    reason: str


class OverrideStore:
    """The queries of queries.sql on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def lock(self, app: str) -> None:
        """Until this transaction ends, nobody else sets anything for the app: no change is lost to another."""
        await SQL.run(self._conn, "lock_app", app=app)

    async def kept(self, place: Place) -> Kept:
        """What is set there now."""
        rows = await SQL.fetch(self._conn, "find_kept", **place._asdict())
        if not rows:
            return Kept(Layer(), 0)
        row = rows[0]
        return Kept(_layer(row), row["nth"], row["at"], row["changed_by"])

    async def changes(self, asked: Collection[Numbered]) -> dict[Numbered, Layer]:
        """What was set after these changes."""
        rows = [(*place, nth) for place, nth in asked]
        found = await SQL.fetch(self._conn, "find_changes", **dict(zip(_PLACES, columns(rows, 5), strict=True)))
        return {(Place(r["app"], r["level"], r["target"], r["component"]), r["nth"]): _layer(r) for r in found}

    async def below(self, place: Place) -> list[tuple[Place, Layer]]:
        """What is set for the same component at the weaker levels, the weakest first."""
        rows = await SQL.fetch(
            self._conn,
            "find_below",
            app=place.app,
            component=place.component,
            level=place.level,
            site=place.target if place.level == "site" else None,
        )
        return [(Place(place.app, row["level"], row["target"], place.component), _layer(row)) for row in rows]

    async def put(self, told: Sequence[Told], secrets: Sequence[Sequence[str]], now: datetime) -> None:
        """Keep these, and write them into the history. Each follows the change before it: two with one number are one
        too many, and the second transaction breaks."""
        rows = [
            (*t.place, t.nth, dict(t.layer.values), t.layer.enabled, t.layer.namespace, " ".join(named), t.by, t.reason)
            for t, named in zip(told, secrets, strict=True)
        ]
        names = (*_PLACES, "given", "enabled", "namespaces", "secrets", "by", "reasons")
        await SQL.run(self._conn, "put_overrides", now=now, **dict(zip(names, columns(rows, 11), strict=True)))

    async def releases(self, place: Place) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Version, component and rules of each release that has the component and runs where it is set, or of all that
        may be chosen where none runs."""
        group = place.target if place.level == "group" else None
        site = place.target if place.level == "site" else None
        rows = await SQL.fetch(
            self._conn, "find_releases_of", app=place.app, component=place.component, site=site, group=group
        )
        running = [row for row in rows if row["runs"]]
        return [(row["version"], row["told"], row["rules"]) for row in running or rows if row["told"]]

    async def knows(self, place: Place) -> tuple[bool, bool]:
        """Whether there is the app, and the group or site."""
        row = (await SQL.fetch(self._conn, "knows", app=place.app, level=place.level, target=place.target))[0]
        return row["app"], row["target"]

    async def using_secret(self, name: str, limit: int) -> tuple[list[Place], int]:
        """Where a secret is named, at most so many, and how many there are in all."""
        rows = await SQL.fetch(self._conn, "overrides_using", name=name, limit=limit)
        places = [Place(row["app"], row["level"], row["target"], row["component"]) for row in rows]
        return places, rows[0]["total"] if rows else 0

    async def set_for(self, level: str, targets: Iterable[str]) -> list[tuple[Place, Kept]]:
        """All that is set for these groups or sites."""
        rows = await SQL.fetch(self._conn, "find_set_for", level=level, targets=list(targets))
        return [(Place(r["app"], level, r["target"], r["component"]), Kept(_layer(r), r["nth"])) for r in rows]

    async def set_at(self, asked: Iterable[Numbered]) -> dict[Place, Kept]:
        """Of these changes those after which none came; their rows are locked."""
        rows = [(*place, nth) for place, nth in asked]
        found = await SQL.fetch(self._conn, "lock_kept", **dict(zip(_PLACES, columns(rows, 5), strict=True)))
        return {Place(r["app"], r["level"], r["target"], r["component"]): Kept(_layer(r), r["nth"]) for r in found}


def _layer(row: Any) -> Layer:
    return Layer(row["given"], row["enabled"], row["namespace"])
