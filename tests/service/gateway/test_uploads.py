"""Uploads are taken in the ways people send files, or refused at once, with nothing left in the store."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from shared.blobs import Blobs
from shared.messages.catalog import PublishRelease, StorageMeasured
from shared.messages.deployer import HostReported, RequestOperation
from tests.service.gateway.api import Api, Reply, gateway
from tests.service.gateway.told import at
from tests.support.small_disk import give_room, small_disk
from tests.support.world import World

pytestmark = pytest.mark.service

BUNDLE = b"\x1f\x8b" + bytes(range(256)) * 2_000
SHA256 = hashlib.sha256(BUNDLE).hexdigest()
LIMIT = {"max_bundle_bytes": len(BUNDLE)}
CHARSETS = [
    (
        f"multipart/form-data; boundary={boundary}",
        b'--%s\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n%s' % (boundary.encode(), charset),
    )
    for boundary, charset in (("x", b"x" * 40 + b"\r\n--x--\r\n"), ("x", b"\xff\r\n--x--\r\n"), ("x" * 40, b"utf-8"))
]
"""Forms that say of which charset they are, as no form should; aiohttp reads that by itself."""
NOW = {"Prefer": "respond-async"}


async def post(api: Api, form: aiohttp.MultipartWriter, key: str = "up-1", query: str = "") -> Reply:
    headers = {"Authorization": f"Bearer {api.token}", "Idempotency-Key": key, **NOW}
    async with api.http.post(f"{api.url}/v1/releases{query}", data=form, headers=headers) as answer:
        return Reply(answer.status, await answer.json(content_type=None), answer.headers)


def form(*parts: tuple[str, bytes | str, str | None], kind: str = "form-data") -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter(kind)
    for name, content, file_name in parts:
        part = writer.append(content)
        more = {"filename": file_name} if file_name else {}
        part.set_content_disposition("form-data", name=name, **more)
    return writer


async def stored(world: World) -> list[Path]:
    return [path for path in (world.home / "blobs").rglob("*") if path.is_file()]


async def test_a_form_with_the_file_is_taken(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        reply = await post(api, form(("bundle", BUNDLE, "web-2.0.tar.gz")))
        assert (reply.status, reply.body["state"]) == (202, "sent")
        command = (await api.command(PublishRelease, "up-1")).data
        assert command == PublishRelease(bundle_sha256=SHA256, bundle_bytes=len(BUNDLE), file_name="web-2.0.tar.gz")
        named = form(("file_name", "mine.tar.gz", None), ("bundle", BUNDLE, "other.tar.gz"))
        assert (await post(api, named, "up-2")).status == 202
        assert (await api.command(PublishRelease, "up-2")).data.file_name == "mine.tar.gz"
        assert await Blobs.open(api.service.settings).size(SHA256) == len(BUNDLE)


@pytest.mark.parametrize(
    ("parts", "code", "field"),
    [
        ([("file", BUNDLE, "x.tar.gz")], "unknown_field", "file"),
        ([("file_name", "x.tar.gz", None)], "missing_field", "bundle"),
        ([("bundle", b"", "x.tar.gz")], "empty_bundle", ""),
        ([("bundle", b"PK\x03\x04", "x.zip")], "not_gzip", ""),
        ([("file_name", "a\nb", None), ("bundle", BUNDLE, "x")], "invalid_field", "file_name"),
        ([("bundle", BUNDLE, "x.tar.gz"), ("bundle", b"\x1f\x8b", "y.tar.gz")], "unknown_field", ""),
    ],
)
async def test_a_form_that_is_not_understood_is_refused_with_its_field(
    world: World, parts: list[tuple[str, bytes | str, str | None]], code: str, field: str
) -> None:
    async with gateway(world, settings=LIMIT) as api:
        reply = await post(api, form(*parts))
        assert (reply.status, reply.codes) == (422, {(field, code)})
        assert await api.service.pool.fetchval("select count(*) from command") == 0


async def test_what_is_no_form_although_it_says_so_is_refused(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        for kind, body in (("multipart/form-data", BUNDLE), ("multipart/form-data; boundary=x", BUNDLE), *CHARSETS):
            headers = {"Authorization": f"Bearer {api.token}", "Content-Type": kind}
            async with api.http.post(f"{api.url}/v1/releases", data=body, headers=headers) as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "unreadable"), body
        assert await stored(world) == []


@pytest.mark.parametrize("size", [10, 900_000])
async def test_a_form_that_ends_in_the_middle_of_its_file_is_refused_and_published_by_nobody(
    world: World, size: int
) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="bundle"; filename="web.tar.gz"\r\n\r\n'
    async with gateway(world) as api:
        headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "multipart/form-data; boundary=x"}
        body = head + b"\x1f\x8b" + os.urandom(size)
        async with api.http.post(f"{api.url}/v1/releases", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "unreadable")
        assert await api.service.pool.fetchval("select count(*) from command") == 0


async def test_what_is_no_bundle_is_refused_at_its_first_bytes(world: World) -> None:
    went_on = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"<html>"
        await went_on.wait()  # for ever: only an answer that does not wait for the rest ends this
        yield b""

    async with gateway(world, settings=LIMIT) as api:
        headers = {"Authorization": f"Bearer {api.token}"}
        async with (
            asyncio.timeout(10),
            api.http.post(f"{api.url}/v1/releases", data=endless(), headers=headers) as answer,
        ):
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (422, "not_gzip")
        went_on.set()
        assert await stored(world) == []


async def head(api: Api, *lines: str) -> bytes:
    """The answer to the head of a request whose body never comes."""
    where = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    text = ["POST /v1/releases HTTP/1.1", "Host: x", f"Authorization: Bearer {api.token}", *lines, "", ""]
    writer.write("\r\n".join(text).encode())
    async with asyncio.timeout(10):
        line = await reader.readline()
    writer.close()
    return line


@pytest.mark.parametrize("kind", ["application/gzip", "multipart/form-data; boundary=x"])
async def test_a_file_that_says_it_is_too_large_is_refused_before_it_comes(world: World, kind: str) -> None:
    async with gateway(world, settings=LIMIT) as api:
        large = f"Content-Length: {10 * len(BUNDLE)}"
        assert b" 413 " in await head(api, large, f"Content-Type: {kind}")
        assert b" 413 " in await head(api, large, f"Content-Type: {kind}", "Expect: 100-continue")
        assert b" 422 " in await head(api, "Content-Length: 0", f"Content-Type: {kind}")
        assert b" 100 " in await head(api, "Content-Length: 10", f"Content-Type: {kind}", "Expect: 100-continue")


async def test_the_one_limit_of_size_is_named_in_the_refusal(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        reply = await api.ask("POST", "/v1/releases", BUNDLE + b"x")
        assert reply.status == 413
        assert str(len(BUNDLE)) in reply.body["detail"]
        assert "BELAY_MAX_BUNDLE_BYTES" in reply.body["detail"]
        assert (await api.get("/v1/storage"))["limit_bytes"] == len(BUNDLE)


async def test_a_name_that_no_file_may_have_is_refused_before_the_file_is_read(world: World) -> None:
    async with gateway(world, settings=LIMIT) as api:
        reply = await api.ask("POST", "/v1/releases?file_name=a%0Ab", BUNDLE)
        assert (reply.status, reply.codes) == (422, {("file_name", "invalid_field")})
        assert await stored(world) == []


async def test_how_much_the_bundles_take_is_shown_as_the_catalog_said_last(world: World) -> None:
    async with gateway(world) as api:
        assert (await api.get("/v1/storage"))["used_bytes"] is None
        facts = {"bundles": 2, "withdrawn_bytes": 3, "reclaimable_bytes": 4, "limit_bytes": 5, "measured_at": at(1)}
        for sequence in (2, 1):  # the older one comes late
            measured = StorageMeasured(used_bytes=sequence, free_bytes=None, **facts)
            await world.send(measured, sequence=sequence)
        await world.send(StorageMeasured(used_bytes=7, free_bytes=9, **facts), sequence=3)
        shown = await api.shows("/v1/storage", lambda body: body["used_bytes"] == 7)
        names = ("bundles", "withdrawn_bytes", "reclaimable_bytes", "free_bytes")
        assert [shown[name] for name in names] == [2, 3, 4, 9]


async def test_the_hosts_that_bundles_must_fit_are_listed(world: World) -> None:
    async with gateway(world) as api:
        assert (await api.get("/v1/hosts"))["items"] == []
        for name, python in (("rome", "3.12.4"), ("oslo", "3.11.9"), ("rome", "3.13.1")):
            said = HostReported(host=name, environment={"python_full_version": python}, abis=("x",), platforms=("y",))
            await world.send(said)
        listed = await api.shows("/v1/hosts", lambda body: "3.13.1" in str(body))
        assert [(host["host"], host["environment"]["python_full_version"]) for host in listed["items"]] == [
            ("oslo", "3.11.9"),
            ("rome", "3.13.1"),
        ]


async def test_a_queued_operation_names_its_release_as_that_is_written(world: World) -> None:
    async with gateway(world) as api:
        body = {"site": "oslo", "app": "web", "kind": "apply", "version": "1.0"}
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", body, Idempotency_Key="op-1"))
        await api.accept(RequestOperation, "op-1", operation_id="op-1", to_version="1.0.0")
        assert (await asked).status == 202
        assert (await api.shows("/v1/operations/op-1", lambda _: True))["to_version"] == "1.0.0"


async def test_a_full_disk_is_told_with_what_is_free_and_the_next_upload_is_taken_once_there_is_room(
    world: World,
) -> None:
    large = b"\x1f\x8b" + os.urandom(3 << 20)
    with small_disk(world.home / "blobs", "2m") as disk:
        async with gateway(world, settings={"max_bundle_bytes": 8 << 20}) as api:

            async def in_pieces() -> AsyncIterator[bytes]:
                for start in range(0, len(large), 1 << 16):
                    yield large[start : start + (1 << 16)]

            headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/gzip", **NOW}
            for content in (io.BytesIO(large), in_pieces()):  # its size announced, and found out
                async with api.http.post(f"{api.url}/v1/releases", data=content, headers=headers) as answer:
                    body = await answer.json(content_type=None)
                    assert (answer.status, body["code"], "bytes are free" in body["detail"]) == (507, "disk_full", True)
                    assert answer.headers["Retry-After"]
            announced = {
                "Upload-Length": str(len(large)),
                "Tus-Resumable": "1.0.0",
                "Authorization": f"Bearer {api.token}",
            }
            async with api.http.post(f"{api.url}/v1/uploads", headers=announced) as answer:
                body = await answer.json(content_type=None)
                assert (answer.status, body["code"]) == (507, "disk_full")
                assert f"{2 * len(large)} bytes are needed" in body["detail"]
            assert await stored(world) == []
            give_room(disk)
            async with api.http.post(f"{api.url}/v1/releases", data=in_pieces(), headers=headers) as answer:
                assert answer.status == 202
