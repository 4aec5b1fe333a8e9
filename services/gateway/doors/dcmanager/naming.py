"""What clients name by a number or a name: subclouds, groups, and the app and the releases that the door speaks of."""

from collections.abc import Iterable
from typing import Any

import asyncpg

from services.gateway.doors.dcmanager import store
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.meant_release import Known, known_of
from services.gateway.doors.dcmanager.shapes import DEFAULT_GROUP, DEFAULT_ID
from services.gateway.doors.errors import Refused
from services.gateway.doors.numbers import Number
from shared.process.db import Connection

SUBCLOUD, GROUP, STRATEGY = "subcloud", "group", "strategy"
MOST_DIGITS = 15
"""Of a number that the database can look for."""


async def releases(call: Call, conn: Connection) -> Known:
    """The app of this door and its releases. Raises Refused 422 while nobody has said which of several it is."""
    app = call.own.app or _only(await store.apps(conn))
    rows = await store.versions(conn, app)
    return known_of(app, rows[0]["scheme"] if rows else "pep440", [row["version"] for row in rows])


def _only(apps: list[str]) -> str:
    if len(apps) > 1:
        some = ", ".join(apps[:10])
        raise Refused(422, f"say which app this door speaks of: BELAY_DOOR_DCMANAGER_APP; there are {some}")
    return apps[0] if apps else ""


async def subclouds_numbered(call: Call, conn: Connection, names: Iterable[str]) -> dict[str, Number]:
    """The numbers of sites."""
    return await call.numbers.of(conn, SUBCLOUD, names)


async def groups_numbered(call: Call, conn: Connection, names: Iterable[str]) -> dict[str, Number]:
    """The numbers of groups; below them is the group of those sites that have none."""
    return await call.numbers.of(conn, GROUP, names, first=DEFAULT_ID + 1)


async def subcloud(call: Call, conn: Connection, app: str, ref: str) -> asyncpg.Record:
    """The site of this number or name. Raises Refused 404."""
    name = await _name(call, conn, SUBCLOUD, ref)
    rows = await store.subclouds(conn, app, name) if name else []
    if not rows:
        raise Refused(404, "Subcloud not found")
    return rows[0]


async def group(call: Call, conn: Connection, ref: str) -> Any:
    """The group of this number or name; None = there is none, "" = the default one."""
    if ref in (DEFAULT_GROUP, str(DEFAULT_ID)):
        return ""
    name = await _name(call, conn, GROUP, ref)
    rows = await store.groups(conn, name) if name else []
    return rows[0] if rows else None


async def _name(call: Call, conn: Connection, kind: str, ref: str) -> str | None:
    if not (ref.isascii() and ref.isdigit()):
        return ref
    return await call.numbers.key(conn, kind, int(ref)) if len(ref) <= MOST_DIGITS else None
