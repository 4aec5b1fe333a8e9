"""What the door says of itself: the documents that clients ask for first."""

from typing import Any

from aiohttp import web

from services.gateway.doors import keystone
from services.gateway.doors.sysinv.sending import sent

VERSION = "/v1"
RESOURCES = ("apps", "helm_charts", "evaluate_apps_reapply")


async def root(request: web.Request) -> web.StreamResponse:
    """GET /: for everybody. Keystone's version is beside that of sysinv, for clients that log in here."""
    base = keystone.base_of(request)
    ours = {"id": "v1", "links": [{"href": f"{base}/v1/", "rel": "self"}]}
    text = "Belay answers here as the application framework of StarlingX's System Inventory does."
    facts = {"name": "Titanium SysInv API", "description": text, "default_version": ours}
    return sent(request, {**facts, "versions": [ours, keystone.as_version(base)]})


async def version(request: web.Request) -> web.StreamResponse:
    """GET /v1: for everybody."""
    base = keystone.base_of(request)
    links = [{"href": f"{base}/v1/", "rel": "self"}]
    media = [{"base": "application/json", "type": "application/vnd.openstack.sysinv.v1+json"}]
    facts: dict[str, Any] = {"id": "v1", "links": links, "media_types": media}
    return sent(request, facts | {name: _links(base, name) for name in RESOURCES})


def _links(base: str, name: str) -> list[dict[str, str]]:
    return [{"href": f"{base}/v1/{name}/", "rel": "self"}, {"href": f"{base}/{name}/", "rel": "bookmark"}]


def add(app: web.Application) -> None:
    """Serve them."""
    app.router.add_get("/", root, allow_head=False)
    app.router.add_get("/v1{slash:/?}", version, allow_head=False)
