"""`/subclouds`: sites, and one of them prestaged."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from services.gateway.domain import Role
from services.gateway.doors.call import Route, as_json, ignored_in, in_turns, readable
from services.gateway.doors.dcmanager import meant_release, naming, shapes, store, subcloud_request, vault
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.subcloud_request import Update
from services.gateway.doors.errors import Refused, refuse
from shared.messages.base import Fault, faults_of
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import ChangeSites, RemoveSites, Selection
from shared.process.db import Connection

STEP_SECONDS = 3 * 3600
PRECHECK_SECONDS = 3.0
NOT_PAST = (None, "precheck", "prepare")
FOUND_BY_PRECHECK = frozenset(
    {"unmanaged", "in_maintenance", "site_offline", "disk_full", "alarms_active", "platform_mismatch"}
)
INSTALLED_ELSEWHERE = "subclouds are not installed here: register the site, with the connections by which it is reached"
GONE = dict.fromkeys(("restore", "reconfigure", "reinstall"), "this was taken away there as well")


async def listed(call: Call) -> dict[str, Any]:
    """GET /v1.0/subclouds."""
    async with call.gateway.pool.acquire() as conn:
        known = await naming.releases(call, conn)
        return {"subclouds": await shown_all(call, conn, known, await store.subclouds(conn, known.app))}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1.0/subclouds/{ref}."""
    return await _one(call)


async def detail(call: Call) -> dict[str, Any]:
    """GET /v1.0/subclouds/{ref}/detail."""
    found = await _one(call)
    more = {"oam_floating_ip": "unavailable", "deploy_config_sync_status": "unknown", "region_name": found["name"]}
    return {**found, **more}


async def change(call: Call) -> web.Response:
    """PATCH /v1.0/subclouds/{ref}: as JSON, or as the form that their command line sends."""
    update, faults, ignored = subcloud_request.read_update(await call.form())
    async with call.gateway.pool.acquire() as conn:
        row = await naming.subcloud(call, conn, "", call.path["ref"])
        group = await _group(call, conn, update, faults)
        refuse(400, faults)
    answer = await call.ask(_changed(row["name"], update, group))
    if answer.state == "rejected":
        raise Refused(422, *(fault.message for fault in answer.faults))

    async def there(conn: Connection) -> bool:
        rows = await store.subclouds(conn, "", row["name"])
        return bool(rows) and all(rows[0][key] == value for key, value in _wanted(rows[0], update, group).items())

    await readable(call, there)
    return as_json(await _one(call), headers=ignored_in(ignored))


async def remove(call: Call) -> None:
    """DELETE /v1.0/subclouds/{ref}."""
    async with call.gateway.pool.acquire() as conn:
        row = await naming.subcloud(call, conn, "", call.path["ref"])
    if row["managed"]:
        raise Refused(400, "Subcloud must be unmanaged before it is deleted")
    answer = await call.ask(RemoveSites(names=(row["name"],)))
    if answer.state == "rejected":
        raise Refused(400, *(fault.message for fault in answer.faults))

    async def gone(conn: Connection) -> bool:
        return not await store.subclouds(conn, "", row["name"])

    await readable(call, gone)


async def prestage(call: Call) -> web.Response:
    """PATCH /v1.0/subclouds/{ref}/prestage."""
    asked, faults, ignored = subcloud_request.read_prestage(await call.body())
    async with call.gateway.pool.acquire() as conn:
        known = await naming.releases(call, conn)
        row = await naming.subcloud(call, conn, known.app, call.path["ref"])
    version = meant_release.meant(known, asked.release) if asked.release else known.newest
    if version is None:
        faults.append(meant_release.unknown(known, asked.release or "the newest"))
    refuse(400, faults)
    await _begin(call, _operation(row["name"], known.app, version, force=asked.force), str(asked.password))
    shown = {**await _one(call), "prestage-status": "prestaging", "prestage-software-version": version}
    return as_json(shown, headers=ignored_in(ignored))


async def _begin(call: Call, command: RequestOperation, password: str) -> None:
    """It begins at once, so the password is set before; but not for what would be refused. Raises Refused 400."""
    sealed = await vault.seal(call, password)
    previewed = await call.ask(command.model_copy(update={"preview": True}))
    if previewed.state == "rejected" and not vault.lacks_only(previewed.faults, sealed.command.name):
        raise _not_prestaged(command.site, previewed.faults)
    await vault.keep(call, sealed)
    begun = await call.ask(command)
    if begun.state == "rejected":
        raise _not_prestaged(command.site, begun.faults)
    await _past_its_precheck(call, command.site, begun.command_id)


async def _past_its_precheck(call: Call, site: str, operation_id: str) -> None:
    """There, what the checks find is the answer; here they are the beginning of the operation, and mostly short.

    Raises Refused 400 for a site on which they found something within PRECHECK_SECONDS.
    """
    seen: list[Any] = []

    async def told(conn: Connection) -> bool:
        seen[:] = [await store.operation(conn, operation_id)]
        found = seen[0]
        return found is not None and (found["state"] in ("failed", "succeeded") or found["phase"] not in NOT_PAST)

    await readable(call, told, PRECHECK_SECONDS)
    if seen[0] and seen[0]["state"] == "failed" and seen[0]["cause"]["code"] in FOUND_BY_PRECHECK:
        raise Refused(400, f"Prestage failed '{site}': {seen[0]['cause']['message']}")


def _not_prestaged(site: str, faults: Sequence[Fault]) -> Refused:
    return Refused(400, *(f"Prestage failed '{site}': {fault.message}" for fault in faults))


async def alarms(call: Call) -> dict[str, Any]:
    """GET /v1.0/alarms."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.sum_alarms(conn)
        numbers = await naming.subclouds_numbered(call, conn, [row["name"] for row in rows])
    return {"alarm_summary": [shapes.alarm_summary(row, numbers[row["name"]].number) for row in rows]}


async def not_installed_here(_: Call) -> None:
    """POST /v1.0/subclouds, and PATCH /v1.0/subclouds/{ref}/{verb} of what installs one."""
    raise Refused(422, INSTALLED_ELSEWHERE)


async def gone(call: Call) -> None:
    """PATCH /v1.0/subclouds/{ref}/{verb} of what theirs has no more."""
    raise Refused(410, GONE[call.path["verb"]])


async def shown_all(call: Call, conn: Connection, known: meant_release.Known, rows: list[Any]) -> list[dict[str, Any]]:
    """Sites as subclouds."""
    numbers = await naming.subclouds_numbered(call, conn, [row["name"] for row in rows])
    groups = await naming.groups_numbered(call, conn, {row["group_name"] for row in rows if row["group_name"]})
    of_group = {None: shapes.DEFAULT_ID} | {name: number.number for name, number in groups.items()}

    def shape(row: Any) -> dict[str, Any]:
        return shapes.subcloud(row, numbers[row["name"]], of_group[row["group_name"]], known)

    return await in_turns(rows, shape)


async def _one(call: Call) -> dict[str, Any]:
    async with call.gateway.pool.acquire() as conn:
        known = await naming.releases(call, conn)
        row = await naming.subcloud(call, conn, known.app, call.path["ref"])
        (found,) = await shown_all(call, conn, known, [row])
        if found["deploy-status"].endswith("failed") and row["operation_id"]:
            failed = await store.operation(conn, row["operation_id"])
            found["error-description"] = failed["cause"]["message"] if failed and failed["cause"] else shapes.NO_ERRORS
    return {name: value for name, value in found.items() if name != "sync_status"}


async def _group(call: Call, conn: Connection, update: Update, faults: list[str]) -> str | None:
    """The name of the group to be in; "" = none, None = as it is."""
    if update.group is None:
        return None
    found = await naming.group(call, conn, update.group)
    if found is None:
        faults.append("Invalid group")
    return str(found["name"]) if found else ""


def _changed(name: str, update: Update, group: str | None) -> ChangeSites:
    texts = {"description": update.description, "location": update.location}
    return ChangeSites(
        selection=Selection(sites=(name,)),
        labels={key: text for key, text in texts.items() if text is not None},
        managed=update.managed,
        group=group or None,
        ungroup=group == "",
    )


def _wanted(row: Any, update: Update, group: str | None) -> dict[str, Any]:
    """Columns as they are to be."""
    texts = {"description": update.description, "location": update.location}
    found: dict[str, Any] = {"labels": row["labels"] | {key: text for key, text in texts.items() if text is not None}}
    if update.managed is not None:
        found["managed"] = update.managed
    return found if group is None else {**found, "group_name": group or None}


def _operation(site: str, app: str, version: str | None, *, force: bool) -> RequestOperation:
    """Raises Refused 422 where this Belay cannot do it."""
    facts = {"site": site, "app": app, "kind": "prestage", "version": version, "timeout_seconds": STEP_SECONDS}
    try:
        return RequestOperation.model_validate(facts | ({"force": True} if force else {}))
    except ValidationError as error:
        raise Refused(422, *(fault.message for fault in faults_of(error))) from None


_PATH, _ONE = "/v1.0/subclouds", "/v1.0/subclouds/{ref}"
ROUTES = (
    Route("GET", _PATH, listed),
    Route("POST", _PATH, not_installed_here, Role.OPERATOR),
    Route("GET", "/v1.0/alarms", alarms),
    Route("GET", _ONE, show),
    Route("GET", f"{_ONE}/detail", detail),
    Route("PATCH", _ONE, change, Role.OPERATOR),
    Route("DELETE", _ONE, remove, Role.OPERATOR),
    Route("PATCH", f"{_ONE}/prestage", prestage, Role.OPERATOR),
    Route("PATCH", f"{_ONE}/{{verb:restore|reconfigure|reinstall}}", gone, Role.OPERATOR),
    Route("PATCH", f"{_ONE}/{{verb:redeploy|update_status}}", not_installed_here, Role.OPERATOR),
)
