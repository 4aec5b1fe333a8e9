"""Uploads go on where they stopped, whoever stopped them, and end in one publication."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from services.gateway.resources.uploads import receiving
from shared.blobs import Blobs
from shared.messages.catalog import PublishRelease
from tests.service.gateway.api import Api, Reply, gateway
from tests.service.gateway.line import once
from tests.support.patience import patience, until_so
from tests.support.small_disk import fill, small_disk
from tests.support.world import World

pytestmark = pytest.mark.service

BUNDLE = b"\x1f\x8b" + bytes(range(256)) * 2_000
SHA256 = hashlib.sha256(BUNDLE).hexdigest()
LIMIT = {"max_bundle_bytes": len(BUNDLE)}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file has several."""
    monkeypatch.setattr(receiving, "PART", 100_000)


def said(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


async def ask(api: Api, method: str, path: str, data: Any = None, **headers: str) -> Reply:
    sent = {"Authorization": f"Bearer {api.token}", "Tus-Resumable": "1.0.0"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.http.request(method, f"{api.url}{path}", data=data, headers=sent) as answer:
        return Reply(answer.status, await answer.json(content_type=None), answer.headers)


async def begun(api: Api, size: int = len(BUNDLE), **values: str) -> str:
    """The path of a new upload."""
    told = said(**({"filename": "lamp.tar.gz"} | values))
    reply = await ask(api, "POST", "/v1/uploads", Upload_Length=str(size), Upload_Metadata=told)
    assert (reply.status, reply.headers["Upload-Offset"]) == (201, "0"), reply.body
    return str(reply.headers["Location"])


async def sends(api: Api, path: str, offset: int, content: Any, **headers: str) -> Reply:
    kind = {"Content_Type": "application/offset+octet-stream"}
    return await ask(api, "PATCH", path, content, Upload_Offset=str(offset), **kind, **headers)


async def offset(api: Api, path: str) -> int:
    reply = await ask(api, "HEAD", path)
    assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")
    return int(reply.headers["Upload-Offset"])


async def test_headers_with_letters_of_any_alphabet_are_refused_by_their_names(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        for metadata in ("filename é", "sha256 ٣", "filename \udcff"):
            refused = await once(api, "POST /v1/uploads", "Upload-Length: 9", f"Upload-Metadata: {metadata}")
            assert (refused.status, refused.problem["faults"][0]["field"]) == (422, "Upload-Metadata"), refused.body
        refused = await once(api, "POST /v1/uploads", "Upload-Length: ٣")
        assert (refused.status, refused.problem["faults"][0]["field"]) == (422, "Upload-Length")
        kind, path = "Content-Type: application/offset+octet-stream", await begun(api)
        for header in ("Upload-Checksum: sha256 é", "Upload-Checksum: sha256 \udcff", "Upload-Offset: ٣"):
            rest = () if header.startswith("Upload-Offset") else ("Upload-Offset: 0",)
            refused = await once(api, f"PATCH {path}", header, *rest, kind, body=BUNDLE)
            assert (refused.status, refused.problem["faults"][0]["field"]) == (422, header.split(":")[0]), refused.body


async def test_a_file_in_three_parts_is_published_once_under_the_id_of_its_upload(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api, sha256=SHA256, app="lamp", version="1.0.0")
        for start in range(0, len(BUNDLE), 200_000):
            assert await offset(api, path) == start
            reply = await sends(api, path, start, BUNDLE[start : start + 200_000])
            assert (reply.status, reply.body) == (204, None)
        upload = path.rpartition("/")[2]
        command = (await api.command(PublishRelease, upload)).data
        about = {"file_name": "lamp.tar.gz", "app": "lamp", "version": "1.0.0"}
        assert command == PublishRelease(bundle_sha256=SHA256, bundle_bytes=len(BUNDLE), **about)
        shown = (await ask(api, "GET", path)).body
        assert (shown["state"], shown["publication"], shown["sha256"]) == ("complete", upload, SHA256)
        again = await sends(api, path, len(BUNDLE), b"")
        assert (again.status, again.headers["Upload-Offset"]) == (204, str(len(BUNDLE)))
        blobs = Blobs.open(api.service.settings)
        assert await blobs.size(SHA256) == len(BUNDLE)
        assert await blobs.coming(hashlib.sha256(upload.encode()).hexdigest()) == 0


async def test_what_came_before_a_connection_broke_is_not_sent_again(world: World) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BUNDLE[:250_000]
        await asyncio.sleep(0.2)
        raise ConnectionResetError

    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api)
        with pytest.raises((ConnectionResetError, aiohttp.ClientError)):
            await sends(api, path, 0, broken())
        await until_so(partial(api.service.pool.fetchval, "select writer is null from upload"))
        assert await offset(api, path) == 250_000
        assert (await sends(api, path, 250_000, BUNDLE[250_000:])).status == 204
        assert (await ask(api, "GET", path)).body["sha256"] == SHA256


async def test_a_disk_that_fills_meanwhile_is_told_with_what_is_needed_and_the_upload_goes_on_behind_it(
    world: World,
) -> None:
    folder, size = world.home / "blobs", len(BUNDLE)

    async def filling() -> AsyncIterator[bytes]:
        yield BUNDLE[:250_000]
        async with patience(20):
            while await blobs.coming(name) < 250_000:  # noqa: ASYNC110  no event says so
                await asyncio.sleep(0.02)
        fill(folder)
        yield BUNDLE[250_000:]

    def there() -> list[str]:
        return sorted(file.name for file in (folder / "incoming").iterdir())

    with small_disk(folder, "1200k"):
        async with gateway(world, settings=LIMIT) as api:
            blobs = Blobs.open(api.service.settings)
            path = await begun(api)
            name = hashlib.sha256(path.rpartition("/")[2].encode()).hexdigest()
            reply = await sends(api, path, 0, filling())
            assert (reply.status, reply.body["code"], reply.headers["Upload-Offset"]) == (507, "disk_full", "250000")
            assert f"0 bytes are free, {2 * size - 250_000} bytes are needed" in reply.body["detail"]
            assert await offset(api, path) == 250_000
            assert there() == [f"{name}.{0:016d}"], "nothing is left behind of what found no room"

            filler = folder / "filler"  # room for what follows, and none for the whole
            os.truncate(filler, filler.stat().st_size - (size - 250_000) - 65_536)
            whole = await sends(api, path, 250_000, BUNDLE[250_000:])
            assert (whole.status, whole.headers["Upload-Offset"]) == (507, str(size))
            assert f"{size} bytes are needed" in whole.body["detail"]
            assert all(part.startswith(name) for part in there())
            assert await blobs.size(SHA256) is None

            filler.unlink()
            assert (await sends(api, path, size, b"")).status == 204
            assert (await ask(api, "GET", path)).body["sha256"] == SHA256
            assert there() == []


async def test_a_part_from_elsewhere_is_refused_and_says_where_it_is(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api)
        await sends(api, path, 0, BUNDLE[:1000])
        for wrong in (0, 999, 1001):
            reply = await sends(api, path, wrong, BUNDLE[wrong:])
            assert (reply.status, reply.body["code"], reply.headers["Upload-Offset"]) == (409, "wrong_offset", "1000")
        assert await offset(api, path) == 1000


async def test_of_two_clients_on_one_upload_one_wins_and_the_other_is_told(world: World) -> None:
    going = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield BUNDLE[:1000]
        await going.wait()
        yield BUNDLE[1000:]

    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api)
        first = asyncio.create_task(sends(api, path, 0, slow()))
        taken = "select writer is not null from upload"
        await until_so(partial(api.service.pool.fetchval, taken))
        reply = await sends(api, path, 0, b"")
        assert (reply.body["code"], reply.headers["Retry-After"]) == ("upload_busy", "5")
        going.set()
        assert (await first).status == 204
        assert (await ask(api, "GET", path)).body["sha256"] == SHA256


async def test_who_stood_still_until_another_went_on_writes_nothing_over_it_when_he_breaks(world: World) -> None:
    async def stands_still() -> AsyncIterator[bytes]:
        yield BUNDLE[:1000]
        await asyncio.Event().wait()

    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api)
        first = asyncio.create_task(sends(api, path, 0, stands_still()))
        await until_so(partial(api.service.pool.fetchval, "select writer is not null from upload"))
        await api.service.pool.execute("update upload set writer_until = now() - interval '1 hour'")
        assert (await sends(api, path, 0, BUNDLE[:400_000])).status == 204
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        reply = await sends(api, path, 400_000, BUNDLE[400_000:])
        assert reply.status == 204, reply.body
        assert (await ask(api, "GET", path)).body["sha256"] == SHA256


async def test_a_file_that_changed_meanwhile_is_refused_and_forgotten(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api, sha256=SHA256)
        await sends(api, path, 0, BUNDLE[:200_000])
        reply = await sends(api, path, 200_000, bytes(len(BUNDLE) - 200_000))
        assert (reply.status, reply.body["code"]) == (422, "wrong_digest")
        assert (await ask(api, "HEAD", path)).status == 404
        assert await Blobs.open(api.service.settings).size(SHA256) is None


async def test_a_part_that_was_changed_on_the_way_is_not_kept(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api)
        right = base64.b64encode(hashlib.sha256(BUNDLE[:300_000]).digest()).decode()
        reply = await sends(api, path, 0, bytes(BUNDLE[:299_999]) + b"x", Upload_Checksum=f"sha256 {right}")
        assert (reply.status, reply.body["code"]) == (460, "wrong_checksum")
        assert await offset(api, path) == 0
        assert (await sends(api, path, 0, BUNDLE[:300_000], Upload_Checksum=f"sha256 {right}")).status == 204
        odd = await sends(api, path, 300_000, b"", Upload_Checksum="md5 abc")
        assert odd.codes == {("Upload-Checksum", "invalid_field")}


async def test_what_cannot_be_taken_is_said_before_it_comes(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        large = await ask(api, "POST", "/v1/uploads", Upload_Length=str(len(BUNDLE) + 1))
        assert (large.status, large.body["code"]) == (413, "too_large")
        wrong = await ask(api, "POST", "/v1/uploads", Upload_Length="many", Upload_Metadata="sha256 !,app QSBC")
        assert wrong.codes >= {("Upload-Length", "invalid_field"), ("Upload-Metadata", "invalid_field")}
        old = await ask(api, "POST", "/v1/uploads", Upload_Length="5", Tus_Resumable="0.2.2")
        assert (old.status, old.headers["Tus-Version"]) == (412, "1.0.0")
        path = await begun(api, size=100)
        more = await sends(api, path, 0, BUNDLE[:101])
        assert (more.status, more.body["code"]) == (422, "wrong_size")
        plain = await sends(api, path, 0, b"<html>")
        assert (plain.status, plain.body["code"]) == (422, "not_gzip")
        assert (await ask(api, "PATCH", path, b"x", Upload_Offset="0", Content_Type="text/plain")).status == 415
        assert (await sends(api, "/v1/uploads/none", 0, b"")).status == 404


async def test_only_so_many_are_under_way_and_one_that_is_not_wanted_makes_room(world: World) -> None:
    async with gateway(world, uploads=2, settings=LIMIT) as api:
        path, _ = await begun(api), await begun(api)
        await sends(api, path, 0, BUNDLE[:1000])
        full = await ask(api, "POST", "/v1/uploads", Upload_Length="5")
        assert (full.status, full.body["code"]) == (409, "too_many_uploads")
        assert (await ask(api, "DELETE", path)).status == 204
        assert (await ask(api, "HEAD", path)).status == 404
        await begun(api)


async def test_another_replica_goes_on_with_it(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        path = await begun(api, sha256=SHA256)
        await sends(api, path, 0, BUNDLE[:200_000])
        token = api.token
    async with gateway(world, settings=LIMIT) as other:
        other.token = token
        assert await offset(other, path) == 200_000
        assert (await sends(other, path, 200_000, BUNDLE[200_000:])).status == 204
        assert (await ask(other, "GET", path)).body["state"] == "complete"
