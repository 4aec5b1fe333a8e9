"""`/subcloud-groups`: groups of sites; sites that belong to none are those of the group Default."""

from typing import Any

from aiohttp import web

from services.gateway.domain import Role
from services.gateway.doors.call import Route, as_json, ignored_in, readable
from services.gateway.doors.dcmanager import naming, shapes, store, subcloud_request
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.subclouds import shown_all
from services.gateway.doors.errors import Refused, refuse
from shared.messages.strategy import CreateGroup, DeleteGroup, UpdateGroup
from shared.process.db import Connection

LISTED_ONLY = ("sync_status", "endpoint_sync_status")
"""Fields that a subcloud has not where it is listed as one of a group."""


async def listed(call: Call) -> dict[str, Any]:
    """GET /v1.0/subcloud-groups."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.groups(conn)
        numbers = await naming.groups_numbered(call, conn, [row["name"] for row in rows])
        default = {**shapes.default_group(), "subcloud_count": await store.ungrouped(conn)}
    groups = [{**shapes.group(row, numbers[row["name"]]), "subcloud_count": row["sites"]} for row in rows]
    return {"subcloud_groups": sorted([default, *groups], key=lambda group: int(group["id"]))}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1.0/subcloud-groups/{ref}."""
    async with call.gateway.pool.acquire() as conn:
        return await _shown(call, conn, await _found(call, conn))


async def subclouds(call: Call) -> dict[str, Any]:
    """GET /v1.0/subcloud-groups/{ref}/subclouds."""
    async with call.gateway.pool.acquire() as conn:
        group = await _found(call, conn)
        known = await naming.releases(call, conn)
        rows = await store.subclouds_of(conn, known.app, group["name"] if group else None)
        found = await shown_all(call, conn, known, rows)
    return {"subclouds": [{key: one[key] for key in one if key not in LISTED_ONLY} for one in found]}


async def create(call: Call) -> web.Response:
    """POST /v1.0/subcloud-groups."""
    asked, faults, ignored = subcloud_request.read_group(await call.body(), new=True)
    refuse(400, faults)
    facts = {"name": asked.name, "description": asked.description, "apply_type": asked.apply_type}
    answer = await call.ask(CreateGroup.model_validate({**facts, "max_parallel": asked.max_parallel}))
    if answer.state == "rejected":
        there = any(fault.code == "group_exists" for fault in answer.faults)
        said = ["A subcloud group with this name already exists"] if there else [f.message for f in answer.faults]
        raise Refused(400, *said)
    async with call.gateway.pool.acquire() as conn:
        rows = await store.groups(conn, asked.name)
        if not rows:
            raise Refused(503, "Unable to create subcloud group: no answer yet, look for it")
        return as_json(await _shown(call, conn, rows[0]), headers=ignored_in(ignored))


async def change(call: Call) -> web.Response:
    """PATCH /v1.0/subcloud-groups/{ref}."""
    asked, faults, ignored = subcloud_request.read_group(await call.body(), new=False)
    async with call.gateway.pool.acquire() as conn:
        group = await _found(call, conn)
    if not group:
        faults.append("the group Default cannot be changed here: it is that of all sites without a group")
    elif asked.name not in (None, group["name"]):
        faults.append("a group cannot be renamed here: make another one, and move its subclouds")
    refuse(400, faults)
    facts = {"description": asked.description, "apply_type": asked.apply_type, "max_parallel": asked.max_parallel}
    answer = await call.ask(UpdateGroup.model_validate({"name": group["name"], **facts}))
    if answer.state == "rejected":
        raise Refused(422, *(fault.message for fault in answer.faults))
    wanted = {key: str(value) for key, value in facts.items() if value is not None}

    async def there(conn: Connection) -> bool:
        rows = await store.groups(conn, group["name"])
        return bool(rows) and all(rows[0][key] == value for key, value in wanted.items())

    await readable(call, there)
    return as_json(await show(call), headers=ignored_in(ignored))


async def remove(call: Call) -> None:
    """DELETE /v1.0/subcloud-groups/{ref}."""
    async with call.gateway.pool.acquire() as conn:
        group = await _found(call, conn)
    if not group:
        raise Refused(400, f"Default Subcloud Group {shapes.DEFAULT_ID} may not be deleted.")
    answer = await call.ask(DeleteGroup(name=group["name"]))
    if answer.state == "rejected":
        raise Refused(400, *(fault.message for fault in answer.faults))

    async def gone(conn: Connection) -> bool:
        return not await store.groups(conn, group["name"])

    await readable(call, gone)


async def _found(call: Call, conn: Connection) -> Any:
    """The group that the path names; "" = the default one. Raises Refused 404."""
    group = await naming.group(call, conn, call.path["ref"])
    if group is None:
        raise Refused(404, "Subcloud Group not found")
    return group


async def _shown(call: Call, conn: Connection, group: Any) -> dict[str, Any]:
    if not group:
        return shapes.default_group()
    numbers = await naming.groups_numbered(call, conn, [group["name"]])
    return shapes.group(group, numbers[group["name"]])


_PATH, _ONE = "/v1.0/subcloud-groups", "/v1.0/subcloud-groups/{ref}"
ROUTES = (
    Route("GET", _PATH, listed),
    Route("POST", _PATH, create, Role.OPERATOR),
    Route("GET", _ONE, show),
    Route("PATCH", _ONE, change, Role.OPERATOR),
    Route("DELETE", _ONE, remove, Role.OPERATOR),
    Route("GET", f"{_ONE}/subclouds", subclouds),
)
