"""The product's own docker-compose.yml on the lab's engine.

The client is Debian's, of the next release, unpacked beside the machine's own files; images: compose_images.py.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support.compose_images import CACHE, ROOT, SOURCES, run
from tests.support.container_lab import Lab

NEXT = "trixie"


def client() -> Path:
    """The Compose client, downloaded once."""
    binary = CACHE / "compose" / "usr/libexec/docker/cli-plugins/docker-compose"
    if not binary.exists():
        draft = CACHE / f".compose.{os.getpid()}"
        (draft / "lists/partial").mkdir(parents=True)
        (draft / "archives/partial").mkdir(parents=True)
        stanza = SOURCES.read_text().split("\n\n")[0]
        lines = [f"Suites: {NEXT}" if line.startswith("Suites:") else line for line in stanza.splitlines()]
        (draft / "next.sources").write_text("\n".join(lines) + "\n")
        apt = [
            "apt-get",
            "-qq",
            "-o",
            f"Dir::Etc::sourcelist={draft}/next.sources",
            "-o",
            "Dir::Etc::sourceparts=/dev/null",
        ]
        apt += ["-o", f"Dir::State::lists={draft}/lists", "-o", f"Dir::Cache={draft}"]
        run([*apt, "update"])
        run([*apt, "download", "docker-compose"], cwd=draft)
        (package,) = draft.glob("docker-compose_*.deb")
        run(["dpkg-deb", "--extract", str(package), str(draft / "files")])
        shutil.rmtree(CACHE / "compose", ignore_errors=True)
        (draft / "files").rename(CACHE / "compose")
        shutil.rmtree(draft)
    return binary


@dataclass
class Compose:
    """`docker compose` on the lab's engine, with the product's own file."""

    lab: Lab
    client: Path
    page_port: int

    def __call__(self, *words: str) -> str:
        environment = {**os.environ, "DOCKER_HOST": self.lab.url, "BELAY_PAGE_PORT": str(self.page_port)}
        return run([str(self.client), "--file", str(ROOT / "docker-compose.yml"), *words], ROOT, environment)

    def container(self, service: str) -> str:
        """The id of its one container."""
        return self("ps", "--quiet", service).strip()

    def healthy(self) -> set[str]:
        """Services whose containers are healthy."""
        found = self.lab.containers("label=com.docker.compose.project=belay")
        well = [one for one in found if self._health(str(one["Id"])) == "healthy"]
        return {str(one["Labels"]["com.docker.compose.service"]) for one in well}

    def _health(self, container: str) -> str:
        state = self.lab.inspect(container)["State"]
        return str((state.get("Health") or state.get("Healthcheck") or {}).get("Status", ""))


@asynccontextmanager
async def checked(lab: Lab) -> AsyncIterator[None]:
    """Podman runs health checks by systemd only: run them here, each in its interval, until the block is left."""
    task = asyncio.create_task(_check(lab))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _check(lab: Lab) -> None:
    connector = aiohttp.UnixConnector(str(lab.socket))
    last: dict[str, float] = {}
    async with aiohttp.ClientSession(connector=connector, base_url="http://engine") as http:
        while True:
            async with http.get("/v1.41/containers/json") as answer:
                running = [each["Id"] for each in await answer.json()]
            for container in running:
                now = time.monotonic()
                if now - last.setdefault(container, now) >= await _interval(http, container):
                    last[container] = now
                    async with http.get(f"/v4.0.0/libpod/containers/{container}/healthcheck") as answer:
                        await answer.read()
            await asyncio.sleep(0.5)


async def _interval(http: aiohttp.ClientSession, container: str) -> float:
    """Seconds; endless where it has no check."""
    async with http.get(f"/v1.41/containers/{container}/json") as answer:
        check = ((await answer.json()).get("Config") or {}).get("Healthcheck") or {}
    return float(check.get("Interval") or math.inf) / 1e9
