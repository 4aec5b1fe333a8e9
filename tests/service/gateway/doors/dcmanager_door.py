"""All services and the dcmanager door in one process, and a client that speaks to it as curl does."""

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
from services.gateway.doors.dcmanager.door import door
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.serving import DOORS
from services.strategy_orchestrator.app import wire as orchestrator
from tests.service.gateway.api import Api, Reply, gateway
from tests.support.bundles import bundle
from tests.support.patience import patience
from tests.support.world import World

STRATEGY = "/v1.0/sw-update-strategy"
STEPS = f"{STRATEGY}/steps"
PASSWORD = "St8rlingX*"
SECRET = base64.b64encode(PASSWORD.encode()).decode()
APP = "platform"

MANIFEST = """\
app: {app}
version: "{version}"
components:
  - driver: simulated
    name: web
    seconds: [{seconds}, {seconds}]
    sites: {fates}
"""


@dataclass
class DoorClient:
    """What a script does. `api` is the other way in, for what the door does not have."""

    api: Api
    url: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request with the admin's token; `body` as JSON, bytes as they are."""
        sent = {"X-Auth-Token": self.api.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with self.api.http.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            is_json = answer.content_type.endswith("json")
            return Reply(answer.status, orjson.loads(raw) if is_json else raw.decode(), answer.headers)

    async def get(self, path: str) -> Any:
        """What a resource says now."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.body

    async def made(self, method: str, path: str, body: Any = None) -> Any:
        """What is answered to a request that is to be done."""
        reply = await self.ask(method, path, body)
        assert reply.status == 200, reply.body
        return reply.body

    async def shows(self, path: str, wanted: Any) -> Any:
        """What a resource says, once `wanted(body)` holds."""
        body: Any = None
        try:
            async with patience(30):
                while True:
                    body = (await self.ask("GET", path)).body
                    if wanted(body):
                        return body
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path} still says {body}") from None

    async def release(self, version: str, fates: dict[str, str] | None = None, seconds: float = 0) -> None:
        """Publish a release of the door's app."""
        manifest = MANIFEST.format(app=APP, version=version, seconds=seconds, fates=json.dumps(fates or {}))
        reply = await self.api.ask("POST", "/v1/releases", bundle({"bundle.yaml": manifest.encode()}))
        assert reply.status == 202, reply.body
        path = f"/v1/releases?app={APP}"
        await self.api.shows(path, lambda found: any(one["version"] == version for one in found["items"]))

    async def sites(self, *names: str, running: str | None = "1.0.0", **facts: Any) -> None:
        """Register simulated sites, and bring them to a release."""
        sites = [{"name": name, "driver": "simulated", **facts} for name in names]
        assert (await self.api.ask("POST", "/v1/sites", {"sites": sites})).status == 202
        if running is None:
            return
        selection = {"sites": list(names)}
        spec = {"name": f"first-{names[0]}", "type": "apply", "app": APP, "version": running, "selection": selection}
        made = await self.api.ask("POST", "/v1/strategies", {**spec, "max_parallel": 500})
        assert made.status == 202, made.body
        one = f"/v1/strategies/{made.body['command_id']}"
        assert (await self.api.ask("POST", f"{one}/apply")).status == 202
        await self.api.shows(one, lambda strategy: strategy["state"] == "complete")
        assert (await self.api.ask("DELETE", one)).status == 202
        await self.api.shows(one, lambda strategy: strategy["deleted"])


@asynccontextmanager
async def only_the_door(world: World, instance: str = "1", port: int = 0, **own: Any) -> AsyncIterator[DoorClient]:
    """The gateway alone, for what needs no other service; `own` are its settings."""
    opened = door(DcmanagerSettings(port=port, app=APP))
    assert opened is not None
    async with gateway(world, instance, doors=[opened], **own) as api:
        assert api.service.http is not None
        yield DoorClient(api, f"http://127.0.0.1:{api.service.http[DOORS].ports['dcmanager']}")


@asynccontextmanager
async def everything(world: World) -> AsyncIterator[DoorClient]:
    """All services, ready for passwords."""
    async with (
        world.run("catalog", catalog),
        world.run("strategy_orchestrator", orchestrator),
        world.run("deployer", deployer),
        only_the_door(world) as client,
    ):
        await client.api.until_written("select count(*) = 1 from sealing_key")
        yield client
