"""A running gateway and what a caller may do with it. The other services are played by the tests: they publish what
these would, in the same words."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson

from services.gateway.app import wire
from services.gateway.doors.door import Door
from services.gateway.settings import GatewaySettings
from shared.messages import REGISTRY
from shared.messages.base import Command, Fault
from shared.process.service import Service
from shared.process.telemetry import note_of
from shared.wire.codec import Envelope
from tests.support.patience import patience
from tests.support.world import World

BUNDLES = "application/gzip"
PATIENCE = 20.0


@dataclass
class Reply:
    """An answer over HTTP."""

    status: int
    body: Any
    headers: Any

    @property
    def codes(self) -> set[tuple[str, str]]:
        return {(fault["field"], fault["code"]) for fault in self.body["faults"]}


@dataclass
class Api:
    """One replica of the gateway, entered with the first admin's token."""

    world: World
    service: Service
    url: str
    http: aiohttp.ClientSession
    token: str

    async def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Reply:
        """Send a request; `body` goes as JSON, bytes as they are: as a bundle to /v1/releases, as JSON elsewhere."""
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"}
        sent["Content-Type"] = BUNDLES if path.partition("?")[0] == "/v1/releases" else "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.http.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            is_json = answer.content_type.endswith("json")
            return Reply(answer.status, orjson.loads(raw) if is_json else raw, answer.headers)

    async def get(self, path: str) -> Any:
        """What a resource says now."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.body

    async def shows(self, path: str, wanted: Any, seconds: float = PATIENCE) -> Any:
        """What a resource says, once `wanted(body)` holds; 404 counts as not yet."""
        body: Any = None
        try:
            async with patience(seconds):
                while True:
                    reply = await self.ask("GET", path)
                    body = reply.body
                    if reply.status == 200 and wanted(body):
                        return body
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} still says {body}") from None

    async def until_written(self, query: str) -> None:
        """Until a query that answers with a boolean says true: of what no route shows."""
        async with patience(PATIENCE):
            while not await self.service.pool.fetchval(query):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def command(self, kind: type[Command], command_id: str) -> Envelope[Any]:
        """The command as it came out on Kafka."""
        await self.world._wait(
            lambda: bool(self._sent(kind, command_id)), f"no {kind.__name__} {command_id} came", PATIENCE
        )
        return self._sent(kind, command_id)[0]

    def _sent(self, kind: type[Command], command_id: str) -> list[Envelope[Any]]:
        return [e for e in self.world.seen if isinstance(e.data, kind) and e.id == command_id]

    async def accept(self, kind: type[Command], command_id: str, **result: Any) -> None:
        """Play the owner: wait for the command and accept it."""
        command = await self.command(kind, command_id)
        await self._answer(command, "command_accepted", result=result)

    async def reject(self, kind: type[Command], command_id: str, *faults: Fault) -> None:
        """Play the owner: wait for the command and refuse it."""
        command = await self.command(kind, command_id)
        await self._answer(command, "command_rejected", code=faults[0].code, faults=faults)

    async def _answer(self, command: Envelope[Any], name: str, **more: Any) -> None:
        data = command.data
        answer = REGISTRY[f"belay.{data.OWNER}.{name}.v1"]
        facts = {"command_id": command.id, "command_type": data.TYPE, "about": data.key}
        await self.world.send(answer(**facts, **more), causation_id=command.id, correlation_id=command.root, sequence=1)


@asynccontextmanager
async def gateway(
    world: World,
    instance: str = "1",
    settings: Mapping[str, Any] = MappingProxyType({}),
    doors: Sequence[Door] = (),
    **own: Any,
) -> AsyncIterator[Api]:
    """A running replica, ready to take requests; `settings` are those of every service, the others the gateway's."""
    chosen = GatewaySettings(**{"port": 0, "answer_seconds": 8, "drain_seconds": 0, **own})
    note_of(world.home, "gateway", instance).unlink(missing_ok=True)  # that of a run before
    replica = world.run("gateway", partial(wire, own=chosen, open_doors=doors), instance, **settings)
    async with replica as service, aiohttp.ClientSession() as http:
        url = await _ready(world, instance, http)
        yield Api(world, service, url, http, (world.home / "admin.token").read_text().strip())


async def _ready(world: World, instance: str, http: aiohttp.ClientSession) -> str:
    note = note_of(world.home, "gateway", instance)
    async with patience(PATIENCE):
        while True:
            if note.exists() and (text := note.read_text()):
                url: str = json.loads(text)["url"]
                async with http.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return url
            await asyncio.sleep(0.02)
