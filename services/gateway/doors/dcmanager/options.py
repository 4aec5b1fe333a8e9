"""`/sw-update-options`: how the hosts inside of a subcloud are taken. Belay leaves that to its drivers: the built-in
options are shown, none can be set."""

from typing import Any

from services.gateway.domain import Role
from services.gateway.doors.call import Route
from services.gateway.doors.dcmanager import naming
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.errors import Refused

ALL = ("RegionOne", "SystemController", "all clouds default")
DEFAULT = {
    "id": 1,
    "name": "all clouds default",
    "subcloud-id": None,
    "storage-apply-type": "parallel",
    "worker-apply-type": "parallel",
    "max-parallel-workers": 10,
    "alarm-restriction-type": "relaxed",
    "default-instance-action": "migrate",
    "created-at": None,
    "updated-at": None,
}


async def listed(_: Call) -> dict[str, Any]:
    """GET /v1.0/sw-update-options."""
    return {"sw-update-options": [DEFAULT]}


async def show(call: Call) -> dict[str, Any]:
    """GET /v1.0/sw-update-options/{ref}: no subcloud has options of its own."""
    await _of_a_subcloud(call)
    return DEFAULT


async def refused(call: Call) -> None:
    """POST /v1.0/sw-update-options/{ref}."""
    await call.body()
    if call.path["ref"] not in ALL:
        async with call.gateway.pool.acquire() as conn:
            await naming.subcloud(call, conn, "", call.path["ref"])
    raise Refused(422, "options cannot be set here: the drivers of a site decide how its hosts are taken")


async def remove(call: Call) -> None:
    """DELETE /v1.0/sw-update-options/{ref}: what nobody could set is not there."""
    await _of_a_subcloud(call)
    raise Refused(422, "the built-in options cannot be deleted")


async def _of_a_subcloud(call: Call) -> None:
    """Raises Refused 404 for all but the built-in ones."""
    if call.path["ref"] in ALL:
        return
    async with call.gateway.pool.acquire() as conn:
        await naming.subcloud(call, conn, "", call.path["ref"])
    raise Refused(404, "Subcloud patch options not found")


_ONE = "/v1.0/sw-update-options/{ref}"
ROUTES = (
    Route("GET", "/v1.0/sw-update-options", listed),
    Route("GET", _ONE, show),
    Route("POST", _ONE, refused, Role.OPERATOR),
    Route("DELETE", _ONE, remove, Role.OPERATOR),
)
