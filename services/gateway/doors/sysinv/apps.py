"""`GET /apps`: apps, as sysinv would tell of them."""

from typing import Any

from services.gateway.doors.call import Route, in_turns
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import shapes, words
from services.gateway.doors.sysinv.call import Call

APP = "app"
"""Kind of the numbers that stand for apps."""

MOST_DIGITS = 15


async def listed(call: Call) -> dict[str, Any]:
    """GET /v1/apps."""
    return {"apps": await in_turns(await call.apps(), shapes.listed)}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1/apps/{name}."""
    return shapes.shown(await existing(call, call.path["name"]))


async def by_status(call: Call) -> list[dict[str, Any]]:
    """GET /v1/apps/get_all_apps_by_status?status=."""
    status = call.query("status")
    if status not in words.STATUSES:
        raise Refused(400, f"get_all_apps_by_status rejected: status {status} is not valid.")
    return await in_turns([app for app in await call.apps() if app.status == status], shapes.shown)


async def by_id(call: Call) -> dict[str, Any]:
    """GET /v1/apps/kube_app_get_by_id?id=: apps have numbers in the order of their names when somebody first asks."""
    number = call.query("id")
    apps = {app.name: app for app in await call.apps()}
    async with call.gateway.pool.acquire() as conn:
        await call.numbers.of(conn, APP, apps)
        fits = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
        name = await call.numbers.key(conn, APP, int(number)) if fits else None
    if name not in apps:
        raise Refused(404, f"No application with id {number}.")
    return shapes.shown(apps[name])


async def existing(call: Call, name: str) -> Any:
    """The app of this name. Raises Refused 404."""
    found = await call.app(name)
    if found is None:
        raise Refused(404, f"No application with name {name}.")
    return found


_APPS = "/v1/apps"
ROUTES = (
    Route("GET", _APPS, listed),
    Route("GET", f"{_APPS}/get_all_apps_by_status", by_status),
    Route("GET", f"{_APPS}/kube_app_get_by_id", by_id),
)
ONE = (Route("GET", f"{_APPS}/{{name}}", show),)
"""After all others: a path that ends in a word of ours is no app's."""
