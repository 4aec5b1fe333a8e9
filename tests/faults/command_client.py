"""How the campaign asks for things: over HTTP, or directly over Kafka, with the patience of a client that must win."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

from services.cli.client import Client, ProblemError, Unreachable
from shared.messages.base import Command
from shared.wire.codec import Envelope, encode, new_trace
from tests.faults.foreign import Foreign
from tests.faults.stage import Stage
from tests.faults.watch import Watch
from tests.support.bundles import bundle

PATIENCE = 90.0
"""Seconds until a request must have got its answer, whatever is killed meanwhile."""

SILENCE = 12.0
"""After so long a command over Kafka is sent once more, under the same id."""

MANIFEST = """\
app: {app}
version: "{version}"
components:
  - driver: simulated
    name: web
    seconds: [0, 2]
    fail: {fail}
    hang: {hang}
    crash: {crash}
    seed: {seed}
    packages_bytes: 3000000
    images_bytes: 2000000
    values: {values}
"""

Chances = tuple[float, float, float]
"""That a device fails, hangs or crashes."""

Values = Mapping[str, Any]
T = TypeVar("T")


class Refused(Exception):
    """A command was rejected; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class CommandClient:
    """Gives commands and awaits their answers on the topics, where the truth is."""

    def __init__(self, stage: Stage, watch: Watch, foreign: Foreign) -> None:
        self._home = stage.home.root
        self._watch = watch
        self._foreign = foreign
        note = json.loads((self._home / "run" / "gateway-1.json").read_text())
        self._token = (self._home / "admin.token").read_text().strip()
        self._client = Client(note["url"], self._token, timeout=10)
        self.heard: dict[str, tuple[float, float]] = {}
        """When each accepted command was first given, and when its answer was heard, by the one clock of the client."""

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    async def ask(self, command: Command, identifier: str, path: str = "", body: Any = None) -> dict[str, Any]:
        """Give a command, over HTTP if a path is given; returns the accepted answer's `result`. Raises Refused."""
        asked_at = time.time()
        if path:
            await self._tried(lambda: self._client.command("POST", path, body, identifier, wait=False))
        async with asyncio.timeout(PATIENCE):
            while not path or identifier not in self._watch.answers:
                if not path:
                    await self._send(command, identifier)
                try:
                    await self._watch.wait(lambda: self._watch.answers.get(identifier), SILENCE)
                    break
                except TimeoutError:
                    continue
        answer = self._watch.answers[identifier]
        if "code" in answer:
            raise Refused(answer["code"], answer["faults"][0]["message"])
        self.heard[identifier] = asked_at, time.time()
        result: dict[str, Any] = answer["result"]
        return result

    async def keep_secret(self, name: str, value: str, identifier: str) -> None:
        """Set a secret, over HTTP. Its value is one of those that the check looks for in all that is left."""
        kept = self._home / "secrets" / name
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(value)
        path, body = f"/v1/secrets/{name}", {"value": value}
        await self._tried(lambda: self._client.command("PUT", path, body, identifier, wait=False))
        await self._watch.wait(lambda: self._watch.answers.get(identifier), PATIENCE)

    async def _send(self, command: Command, identifier: str) -> None:
        envelope = Envelope(command, identifier, "/campaign", datetime.now(UTC), traceparent=new_trace())
        key, headers, body = encode(envelope)
        await self._foreign.publish(command.TOPIC, key, headers, body)

    def pack(self, app: str, version: str, random: Random, chances: Chances, values: Values | None = None) -> Path:
        """The bundle of a release whose devices fail, hang and crash by these chances."""
        fates = dict(zip(("fail", "hang", "crash"), chances, strict=True))
        words = {**fates, "seed": random.getrandbits(30), "values": json.dumps(values or {})}
        manifest = MANIFEST.format(app=app, version=version, **words)
        file = self._home / f"{app}-{version}.tar.gz"
        file.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
        return file

    async def publish(
        self, app: str, version: str, random: Random, chances: Chances, values: Values | None = None
    ) -> None:
        """Upload a release; returns when it may be rolled out."""
        file = self.pack(app, version, random, chances, values)
        until = time.monotonic() + PATIENCE
        while (app, version) not in self._watch.releases:
            key = f"publish-{app}-{version}-{random.getrandbits(32)}"
            await self._tried(lambda key=key: self._upload(file, key))  # type: ignore[misc]
            try:
                await self._watch.wait(lambda: (app, version) in self._watch.releases, SILENCE)
            except TimeoutError:
                if time.monotonic() > until:
                    raise

    def _upload(self, file: Path, key: str) -> None:
        self._client.upload(file, key=key)

    async def try_upload(self, gateway: str, file: Path, key: str) -> int:
        """One upload at this replica, without the client's patience; returns the status. Raises httpx.HTTPError."""
        return await asyncio.to_thread(self._post, gateway, file, key)

    def _post(self, gateway: str, file: Path, key: str) -> int:
        url = json.loads((self._home / "run" / f"{gateway}.json").read_text())["url"]
        headers = {"Idempotency-Key": key, "Authorization": f"Bearer {self._token}"}
        sent = {"content": file.read_bytes(), "headers": headers, "params": {"file_name": file.name}}
        return httpx.post(f"{url}/v1/releases", **sent, timeout=10).status_code

    async def upload(self, file: Path, key: str) -> None:
        """An upload that must be taken in the end."""
        await self._tried(lambda: self._upload(file, key))

    async def _tried(self, call: Callable[[], T]) -> T:
        """Call until the gateway answers; its refusals for what is wrong with the request are raised."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return await asyncio.to_thread(call)
            except ProblemError as problem:
                if problem.status < 500 and problem.status != 429:
                    raise Refused(problem.code, str(problem)) from problem
                error: Exception = problem
            except Unreachable as unreachable:
                error = unreachable
            if time.monotonic() > until:
                raise TimeoutError(f"the gateway gave no answer for {PATIENCE:g} s: {error!r}") from error
            await asyncio.sleep(0.3)
