"""What dcmanager has and Belay has no meaning for: refused, with the reason."""

from services.gateway.doors.call import Route
from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.errors import Refused

WHY = {
    "subcloud-backup": "backups of a whole subcloud are not taken here",
    "subcloud-deploy": "subclouds are not installed here",
    "phased-subcloud-deploy": "subclouds are not installed here",
    "subcloud-peer-groups": "there is one fleet here, with as many replicas of each service as are wanted",
    "peer-group-associations": "there is one fleet here, with as many replicas of each service as are wanted",
    "system-peers": "there is one fleet here, with as many replicas of each service as are wanted",
    "notifications": "subclouds notify nobody here",
}


async def refused(call: Call) -> None:
    """Whatever is asked of them."""
    raise Refused(404, f"/v1.0/{call.path['what']} is not offered: {WHY[call.path['what']]}")


_ANY = "{what:" + "|".join(WHY) + "}{rest:(/.*)?}"
ROUTES = tuple(Route(method, f"/v1.0/{_ANY}", refused) for method in ("GET", "POST", "PATCH", "PUT", "DELETE"))
