"""`PATCH /apps/{name}?directive=`: apply, remove, abort; and `DELETE /apps/{name}`."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from services.gateway.domain import Role
from services.gateway.doors.call import Route, ignored_in
from services.gateway.doors.errors import Refused
from services.gateway.doors.fields import shown
from services.gateway.doors.sysinv import modes, shapes, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.carrying import carry_out, stop
from services.gateway.doors.sysinv.deleting import delete_releases
from services.gateway.doors.sysinv.publishing import put_away
from services.gateway.doors.sysinv.refusing import rejected, require
from services.gateway.doors.sysinv.sending import nothing, sent
from services.gateway.doors.sysinv.standing import Standing


async def direct(call: Call) -> web.Response:
    """PATCH /v1/apps/{name}?directive=."""
    directive, values = call.query("directive"), await _values(call)
    act = {"apply": _apply, "remove": _remove, "abort": _abort}.get(directive)
    if act is None:
        raise Refused(403, "Operation not permitted.")
    app = require(directive, await call.app(call.path["name"]))
    after, ignored = await act(call, app, values)
    return sent(call.request, shapes.shown(after), ignored_in(ignored))


async def _values(call: Call) -> dict[str, Any]:
    body = await call.body()
    if unknown := sorted(body.keys() - {"values"}):
        raise Refused(400, f'Unknown argument: "{", ".join(unknown)[:200]}"')
    values = body.get("values")
    if values is None:
        raise Refused(400, 'Missing argument: "values"')
    if not isinstance(values, dict):
        raise Refused(400, f"Invalid input for field/attribute values. Value: {shown(values)}. It must be an object.")
    return values


async def _apply(call: Call, app: Standing, values: dict[str, Any]) -> tuple[Standing, list[str]]:
    if (fault := modes.fault_of(app.name, values)) is not None:
        raise rejected("apply", fault)
    await carry_out(call, "apply", "apply", app.name, app.version)
    passed_by = [name for name in values if values[name] and name != "mode"]
    return replace(app, status=words.APPLYING, progress=None), passed_by


async def _remove(call: Call, app: Standing, _: dict[str, Any]) -> tuple[Standing, list[str]]:
    """Of what failed so that nothing is left, nothing has to be removed: it is uploaded then, as it would be there.

    By force what goes is gone: where the rest fails, it is not brought back.
    """
    forced = call.request.query.get("force") in ("True", "true")
    if app.deployed:
        await carry_out(call, "remove", "remove", app.name, None, recover="never" if forced else None)
    elif app.operation_id:
        await put_away(call, app.operation_id)
    return replace(app, status=words.REMOVING, progress=None), []


async def _abort(call: Call, app: Standing, _: dict[str, Any]) -> tuple[Standing, list[str]]:
    await stop(call, app)
    return app, []


async def delete(call: Call) -> web.Response:
    """DELETE /v1/apps/{name}: every release of the app goes, so that it is not seen any more."""
    app = require("delete", await call.app(call.path["name"]))
    if app.status == words.UPLOAD_FAILED:
        await put_away(call, app.operation_id or "")
    else:
        await delete_releases(call, app.name)
    return nothing()


_ONE = "/v1/apps/{name}"
ROUTES = (
    Route("PATCH", _ONE, direct, Role.OPERATOR),
    Route("DELETE", _ONE, delete, Role.OPERATOR),
)
