"""All services and the sysinv door in one process, and a client that speaks to it as curl does."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from services.catalog.app import wire as catalog
from services.deployer.app import wire as deployer
from services.gateway.doors.serving import DOORS
from services.gateway.doors.sysinv.door import door
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.strategy_orchestrator.app import wire as orchestrator
from tests.service.gateway.api import Api, Reply, gateway
from tests.support.bundles import bundle
from tests.support.patience import patience
from tests.support.world import World

APPS = "/v1/apps"
SITE, GROUP = "site-1", "edge"
APP = "shop"

MANIFEST = """\
app: {app}
version: "{version}"
components:
  - driver: simulated
    name: web
    seconds: [{seconds}, {seconds}]
    sites: {fates}
"""


def tarball(
    version: str, app: str = APP, seconds: float = 0, fates: dict[str, str] | None = None, more: str = ""
) -> bytes:
    """A bundle with one simulated component; `more` is YAML put at the end of its manifest."""
    manifest = MANIFEST.format(app=app, version=version, seconds=seconds, fates=json.dumps(fates or {}))
    return bundle({"bundle.yaml": (manifest + more).encode()})


def in_base64(file: bytes) -> str:
    """As their command line sends it."""
    return base64.urlsafe_b64encode(file).decode()


def sending(file: bytes, path: str = "/home/sysadmin/shop.tgz", **more: Any) -> dict[str, Any]:
    """The body of an upload."""
    return {"tarfile": path, **more, "binary_data": in_base64(file)}


@dataclass
class DoorClient:
    """What a script does. `api` is the other way in, for what the door does not have."""

    api: Api
    url: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request with the admin's token; `body` as JSON, bytes and forms as they are."""
        sent = {"X-Auth-Token": self.api.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        data: Any = body
        if isinstance(body, dict | list | str):
            data, sent = json.dumps(body).encode(), {"Content-Type": "application/json", **sent}
        async with self.api.http.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            is_json = answer.content_type.endswith("json") and raw
            return Reply(answer.status, orjson.loads(raw) if is_json else raw.decode(), answer.headers)

    async def get(self, path: str) -> Any:
        """What a resource says now."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.body

    async def made(self, method: str, path: str, body: Any = None) -> Any:
        """What is answered to a request that is to be done."""
        reply = await self.ask(method, path, body)
        assert reply.status in (200, 204), reply.body
        return reply.body

    async def refuses(self, status: int, method: str, path: str, body: Any = None) -> str:
        """The text of a refusal, as their command line reads it."""
        reply = await self.ask(method, path, body)
        assert reply.status == status, (reply.status, reply.body)
        return str(orjson.loads(reply.body["error_message"])["faultstring"])

    async def shows(self, wanted: Any, app: str = APP) -> Any:
        """What the app says of itself, once it has this status, or `wanted(it)` holds."""
        holds = wanted if callable(wanted) else lambda found: found.get("status") == wanted
        body: Any = None
        try:
            async with patience(30):
                while True:
                    body = (await self.ask("GET", f"{APPS}/{app}")).body
                    if holds(body):
                        return body
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{app} still says {body}") from None

    async def upload(self, version: str, app: str = APP, **more: Any) -> Any:
        """Upload a bundle."""
        return await self.made("POST", APPS, sending(tarball(version, app, **more)))

    async def runs(self, version: str = "1.0.0", app: str = APP, **more: Any) -> None:
        """Upload a bundle and apply it."""
        await self.upload(version, app, **more)
        await self.shows("uploaded", app)
        await self.direct("apply", app)
        await self.shows("applied", app)

    async def direct(self, directive: str, app: str = APP) -> Any:
        """Ask for something to be done with the app."""
        return await self.made("PATCH", f"{APPS}/{app}?directive={directive}", {"values": {}})

    async def update(self, version: str, app: str = APP, **more: Any) -> Any:
        """Update the app to a bundle that is sent along."""
        return await self.made("POST", f"{APPS}/update", sending(tarball(version, app, **more)))

    async def sites(self, *names: str, **facts: Any) -> None:
        """Register simulated sites."""
        sites = [{"name": name, "driver": "simulated", **facts} for name in names]
        assert (await self.api.ask("POST", "/v1/sites", {"sites": sites})).status == 202

    async def group(self, *sites: str) -> None:
        """Make the group that the door speaks for, of new sites."""
        facts = {"name": GROUP, "description": "", "apply_type": "parallel", "max_parallel": 10}
        assert (await self.api.ask("POST", "/v1/groups", facts)).status == 202
        await self.sites(*sites, group=GROUP)


@asynccontextmanager
async def only_the_door(
    world: World, instance: str = "1", group: str | None = None, **own: Any
) -> AsyncIterator[DoorClient]:
    """The gateway alone, for what needs no other service; `own` are its settings."""
    opened = door(SysinvSettings(port=0, site=None if group else SITE, group=group))
    assert opened is not None
    async with gateway(world, instance, doors=[opened], **own) as api:
        assert api.service.http is not None
        yield DoorClient(api, f"http://127.0.0.1:{api.service.http[DOORS].ports['sysinv']}")


@asynccontextmanager
async def everything(world: World, group: str | None = None) -> AsyncIterator[DoorClient]:
    """All services; for a group, what it says of a site is said of all of them."""
    async with (
        world.run("catalog", catalog),
        world.run("strategy_orchestrator", orchestrator),
        world.run("deployer", deployer),
        only_the_door(world, group=group) as client,
    ):
        yield client
