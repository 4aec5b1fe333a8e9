"""`/helm_charts`: the components of a release, and what is set over their values where the door speaks for."""

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from services.gateway.domain import Role
from services.gateway.doors.call import Route, readable
from services.gateway.doors.errors import Refused, refuse
from services.gateway.doors.sysinv import chart, chart_request, store, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.carrying import carry_out
from services.gateway.doors.sysinv.chart import Chart, as_yaml
from services.gateway.doors.sysinv.chart_request import Asked
from services.gateway.doors.sysinv.refusing import told
from services.gateway.doors.sysinv.sending import nothing
from shared.messages.base import faults_of
from shared.messages.deployer import SetOverrides
from shared.process.db import Connection

NOT_YET = {
    words.UPLOADING: "Wait until the upload process finishes.",
    words.UPLOAD_FAILED: "Try deleting the app and uploading again before running the override commands.",
}


async def listed(call: Call) -> dict[str, Any]:
    """GET /v1/helm_charts?app_name=."""
    name = call.query("app_name")
    found = await _charts(call, name, f"Unable to get the helm charts for application {name}: ")
    return {"charts": chart.listed(found)}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1/helm_charts/{app}?name=&namespace=."""
    return chart.shown(await _one(call))


async def change(call: Call) -> dict[str, Any]:
    """PATCH /v1/helm_charts/{app}?name=&namespace=."""
    name, namespace = call.query("name"), call.query("namespace")
    asked, faults = chart_request.read(await call.body())
    refuse(400, faults)
    found = await _one(call)
    answer: dict[str, Any] = {"name": name, "namespace": namespace}
    if asked.given or asked.enabled is None:
        await _set(call, found, values=asked.values, replace=not asked.reuse, enabled=asked.enabled)
        answer |= {"user_overrides": as_yaml(found.changed(asked.values, reuse=asked.reuse))} if asked.given else {}
    else:  # attributes alone leave the values as they are
        await _set(call, found, enabled=asked.enabled)
    await _reapply(call, asked)
    return answer | ({} if asked.enabled is None else {"attributes": {"enabled": asked.enabled}})


async def _reapply(call: Call, asked: Asked) -> None:
    """What has changed is carried out at once, where the app is applied, or all that are. Raises Refused 400."""
    name = None if asked.reapply_all else call.path["app"]
    for app in await call.apps(name) if asked.reapply or asked.reapply_all else []:
        if app.status == words.APPLIED:
            await carry_out(call, "apply", "apply", app.name, app.version, only_changes=True)


async def delete(call: Call) -> web.Response:
    """DELETE /v1/helm_charts/{app}?name=&namespace=: the values; attributes stay."""
    await _set(call, await _one(call), values={}, replace=True)
    return nothing()


async def _set(call: Call, found: Chart, **what: Any) -> None:
    unable = f"Unable to update the helm chart attributes for chart {found.name} under Namespace {found.namespace}: "
    place = (
        {"level": "group", "target": call.own.group} if call.own.group else {"level": "site", "target": call.own.site}
    )
    try:
        command = SetOverrides.model_validate({"app": call.path["app"], "component": found.name, **place, **what})
    except ValidationError as error:
        raise Refused(400, *(unable + reason for reason in told(faults_of(error)))) from None
    answer = await call.ask(command)
    if answer.state == "rejected":
        raise Refused(400, *(unable + reason for reason in told(answer.faults)))

    async def there(conn: Connection) -> bool:
        place = (command.level, command.target or "", command.component)
        return await store.is_set(conn, command.app, *place, int(answer.result.get("nth", 0)))

    if answer.result.get("changed"):
        await readable(call, there)


async def _one(call: Call) -> Chart:
    """The chart that the path and the query name. Raises Refused 400."""
    name, namespace = call.query("name"), call.query("namespace")
    refuse(400, [f"{what} must be specified." for what, text in (("Name", name), ("Namespace", namespace)) if not text])
    for found in await _charts(call, call.path["app"], ""):
        if (found.name, found.namespace) == (name, namespace):
            return found
    reason = f"there is no chart {name[:60]} in the namespace {namespace[:60]}"
    raise Refused(400, f"Unable to get the helm chart overrides for chart {name} under Namespace {namespace}: {reason}")


async def _charts(call: Call, name: str, before: str) -> list[Chart]:
    """Of the release that the door shows. Raises Refused 400."""
    app = await call.app(name)
    if app is None:
        raise Refused(400, f"{before}Application {name} not found.")
    if app.status in NOT_YET:
        right_now = "It's not possible list or update the overrides right now."
        raise Refused(400, f"{right_now} The app is currently in {app.status} state. {NOT_YET[app.status]}")
    async with call.gateway.pool.acquire() as conn:
        components = await store.components(conn, name, app.version)
        layers = await store.layers(conn, name, call.own.site, call.own.group)
    return [Chart(one, *layers.get(one["name"], ())) for one in components]


_CHARTS, _ONE = "/v1/helm_charts", "/v1/helm_charts/{app}"
ROUTES = (
    Route("GET", _CHARTS, listed),
    Route("GET", _ONE, show),
    Route("PATCH", _ONE, change, Role.OPERATOR),
    Route("DELETE", _ONE, delete, Role.OPERATOR),
)
