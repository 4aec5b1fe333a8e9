"""Tarballs at the sysinv door: in bounded memory however large, and an update of which nothing is lost by a kill."""

import asyncio
import base64
import gzip
import io
import json
import os
import signal
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.service.gateway.doors.sysinv_door import APPS, MANIFEST, SITE, everything, in_base64, sending, tarball
from tests.support.patience import patience
from tests.support.probe import until_ready
from tests.support.replica import replica
from tests.support.world import World

pytestmark = pytest.mark.service
MIB = 1 << 20
LARGE = 96 * MIB
GROWTH_MIB = 64
KILLS = ("command where type like '%publish%'", "outbox", "door_number")
"""The gateway is killed as soon as something lies in one of these tables."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def large_tarball(folder: Path) -> Path:
    """Of what cannot be compressed."""
    packed = folder / "large.tgz"
    manifest = MANIFEST.format(app="shop", version="1.0.0", seconds=0, fates="{}").encode()
    with gzip.open(packed, "wb", compresslevel=1) as out, tarfile.open(fileobj=out, mode="w|") as archive:
        for name, content in (("bundle.yaml", manifest), *((f"part-{n}", os.urandom(32 * MIB)) for n in range(3))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed


async def in_json(file: Path, head: dict[str, Any]) -> AsyncIterator[bytes]:
    """The body that their command line sends, a piece at a time."""
    yield json.dumps(head).encode()[:-1] + b', "binary_data": "'
    with file.open("rb") as source:
        while chunk := source.read(3 * MIB):
            yield base64.urlsafe_b64encode(chunk)
    yield b'"}'


async def most_memory(process: psutil.Process, until: "asyncio.Task[Any]") -> int:
    most = 0
    while not until.done():
        most = max(most, process.memory_info().rss)
        await asyncio.sleep(0.02)
    return most


async def test_a_large_tarball_in_base64_takes_a_bounded_memory(world: World, tmp_path: Path) -> None:
    port, file = free_port(), await asyncio.to_thread(large_tarball, tmp_path)
    settings = {"gateway_port": 0, "gateway_answer_seconds": 0.2, "door_sysinv_port": port, "door_sysinv_site": SITE}
    async with replica(world, "gateway", **settings) as running, aiohttp.ClientSession() as http:
        await until_ready(world.home, "gateway", "1")
        process = psutil.Process(running.process.pid)
        before = process.memory_info().rss
        sent = asyncio.create_task(upload(http, port, world, in_json(file, {"tarfile": "/x/large.tgz"})))
        most = await most_memory(process, sent)
        assert (await sent)["status"] == "uploading"
        assert (most - before) / MIB < GROWTH_MIB


async def upload(http: aiohttp.ClientSession, port: int, world: World, body: Any, path: str = APPS) -> Any:
    headers = {"X-Auth-Token": (world.home / "admin.token").read_text().strip(), "Content-Type": "application/json"}
    async with http.post(f"http://127.0.0.1:{port}{path}", data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


@pytest.mark.parametrize("table", KILLS)
async def test_a_gateway_killed_while_it_asks_for_an_update_has_asked_for_all_of_it_or_nothing(
    world: World, table: str
) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs()
        count = f"select count(*) from {table}"  # noqa: S608 - of this file
        port, before = free_port(), await door.api.service.pool.fetchval(count)
        own = {"gateway_port": 0, "door_sysinv_port": port, "door_sysinv_site": SITE}
        async with replica(world, "gateway", "2", **own) as running, aiohttp.ClientSession() as http:
            await until_ready(world.home, "gateway", "2")
            body = json.dumps(sending(tarball("2.0.0"))).encode()
            sent = asyncio.create_task(upload(http, port, world, body, f"{APPS}/update"))
            async with patience(20):
                while await door.api.service.pool.fetchval(count) == before and not sent.done():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await running.end(signal.SIGKILL)
            await asyncio.gather(sent, return_exceptions=True)
        asked = await door.api.service.pool.fetch("select type from command where body ->> 'publication' is not null")
        published = await door.api.service.pool.fetch("select type from command where type like '%publish_release%'")
        assert len(asked) == len(published) - 1
        if asked:
            await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "2.0.0"))
        else:
            assert (await door.update("2.0.0"))["status"] == "updating"


@pytest.fixture
def fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog fetches from this machine, and gives up soon."""
    for name in ("PLAIN_SOURCES", "ALLOW_PRIVATE_SOURCES"):
        monkeypatch.setenv(f"BELAY_CATALOG_{name}", "true")


@asynccontextmanager
async def served(*versions: str) -> AsyncIterator[str]:
    """Where tarballs of these versions lie."""

    async def serve(request: web.Request) -> web.Response:
        version = request.match_info["version"]
        return web.Response(body=tarball(version)) if version in versions else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/shop-{version}.tgz", serve)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


@pytest.mark.usefixtures("fetching")
async def test_a_tarball_that_lies_elsewhere_is_fetched_and_has_placeholders_until_it_is_known(world: World) -> None:
    async with everything(world) as door, served("1.0.0", "2.0.0") as url:
        await door.sites(SITE)
        made = await door.made("POST", APPS, {"tarfile": f"{url}/shop-1.0.0.tgz"})
        assert made["name"].startswith("app-name-placeholder-")
        assert made["app_version"].startswith("app-version-placeholder-")
        assert (made["manifest_name"], made["manifest_file"]) == ("manifest-placeholder", "tarfile-placeholder")
        await door.shows("uploaded")
        assert [app["name"] for app in (await door.get(APPS))["apps"]] == ["shop"]
        await door.direct("apply")
        await door.shows("applied")
        newer = {"tarfile": f"{url}/shop-2.0.0.tgz", "name": "shop"}
        assert (await door.made("POST", f"{APPS}/update", newer))["status"] == "updating"
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "2.0.0"))
        gone = newer | {"tarfile": f"{url}/shop-3.0.0.tgz"}
        assert "404" in await door.refuses(400, "POST", f"{APPS}/update", gone)
        assert (await door.shows("applied"))["app_version"] == "2.0.0"


@pytest.mark.usefixtures("fetching")
async def test_a_failed_upload_is_seen_until_it_is_deleted(world: World) -> None:
    async with everything(world) as door, served() as url:
        await door.sites(SITE)
        made = await door.made("POST", APPS, {"tarfile": f"{url}/none.tgz", "name": "shop", "app_version": "1.0.0"})
        assert made["status"] == "uploading"
        failed = await door.shows("upload-failed")
        assert (failed["app_version"], "404" in failed["progress"]) == ("1.0.0", True)
        told = await door.refuses(400, "GET", "/v1/helm_charts?app_name=shop")
        assert "The app is currently in upload-failed state. Try deleting the app" in told
        assert "upload-failed" in await door.refuses(400, "PATCH", f"{APPS}/shop?directive=apply", {"values": {}})
        await door.made("DELETE", f"{APPS}/shop")
        assert await door.get(APPS) == {"apps": []}


async def test_the_names_of_a_client_go_to_a_tarball_that_has_none(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        named = await door.ask("POST", APPS, sending(tarball("1.0.0"), name="other", app_version="7"))
        assert (named.body["name"], named.body["app_version"]) == ("shop", "1.0.0")  # its own go before
        assert in_base64(b"\xff\xfe") == "__4="
