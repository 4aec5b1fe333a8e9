"""The blob store, on a real folder and on obstore's in-memory store as the remote kind."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from shared.blobs import Blobs, BlobTooLarge, UnknownBlob, WrongContent
from shared.process.settings import Settings

CONTENT = b"rope " * 2_000_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ABSENT = "0" * 64


async def chunked(content: bytes, size: int = 700_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture(params=["local", "remote"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs.open(Settings(home=tmp_path)) if request.param == "local" else Blobs(MemoryStore())


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_was_put_is_read_back_under_its_digest(blobs: Blobs) -> None:
    blob = await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    assert (blob.sha256, blob.size) == (DIGEST, len(CONTENT))
    assert await blobs.size(DIGEST) == len(CONTENT)
    assert b"".join([chunk async for chunk in blobs.stream(DIGEST)]) == CONTENT
    async with blobs.as_file(DIGEST) as file:
        assert file.read_bytes() == CONTENT


async def test_the_same_content_twice_is_one_blob(tmp_path: Path) -> None:
    blobs = Blobs.open(Settings(home=tmp_path))
    await asyncio.gather(*(blobs.put(chunked(CONTENT), limit=len(CONTENT)) for _ in range(3)))
    assert [file.name for file in files_under(tmp_path)] == [DIGEST]


async def test_an_empty_stream_and_empty_chunks_are_content_too(blobs: Blobs) -> None:
    assert (await blobs.put(chunked(b""), limit=1)).size == 0

    async def gaps() -> AsyncIterator[bytes]:
        for part in (b"", b"a", b"", b"b"):
            yield part

    assert (await blobs.put(gaps(), limit=2)).sha256 == hashlib.sha256(b"ab").hexdigest()


async def test_a_stream_beyond_the_limit_leaves_no_trace(tmp_path: Path) -> None:
    blobs = Blobs.open(Settings(home=tmp_path))
    with pytest.raises(BlobTooLarge, match="more than the 5000000 bytes"):
        await blobs.put(chunked(CONTENT), limit=5_000_000)
    assert files_under(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_no_trace(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT
        raise ConnectionResetError("the client went away")

    blobs = Blobs.open(Settings(home=tmp_path))
    with pytest.raises(ConnectionResetError):
        await blobs.put(breaking(), limit=2 * len(CONTENT))
    assert files_under(tmp_path) == []


async def test_a_cancelled_upload_leaves_no_trace(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield CONTENT
        begun.set()
        await asyncio.Event().wait()
        yield b""

    upload = asyncio.create_task(Blobs.open(Settings(home=tmp_path)).put(endless(), limit=2 * len(CONTENT)))
    await begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    async with asyncio.timeout(5):
        while files_under(tmp_path):  # noqa: ASYNC110 - the store clears up on a thread of its own
            await asyncio.sleep(0.01)


async def test_a_blob_that_is_not_there_is_known_as_such(blobs: Blobs) -> None:
    assert await blobs.size(ABSENT) is None
    assert not await blobs.exists("../../etc/passwd")
    with pytest.raises(UnknownBlob):
        await anext(blobs.stream(ABSENT))
    with pytest.raises(UnknownBlob):
        async with blobs.as_file(ABSENT):
            pass


async def test_no_digest_reaches_out_of_the_store(blobs: Blobs) -> None:
    with pytest.raises(UnknownBlob):
        await blobs.delete("../../etc/passwd")


async def test_a_deleted_blob_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    await blobs.delete(DIGEST)
    await blobs.delete(DIGEST)
    assert not await blobs.exists(DIGEST)


async def test_what_a_killed_upload_left_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    blobs = Blobs.open(Settings(home=tmp_path))
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    left = tmp_path / "blobs" / "incoming" / "5e1f#1"
    left.write_bytes(b"half")
    assert await blobs.sweep() == 0
    assert await blobs.sweep(before=datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert [file.name for file in files_under(tmp_path)] == [DIGEST]


async def test_abandoned_drafts_of_a_remote_store_are_swept_too() -> None:
    store = MemoryStore()
    await store.put_async("incoming/draft", b"never named")
    assert await Blobs(store).sweep(before=datetime.now(UTC) + timedelta(seconds=1)) == 1


def test_a_file_url_is_a_local_store(tmp_path: Path) -> None:
    blobs = Blobs.open(Settings(home=tmp_path / "home", blobs=f"file://{tmp_path}"))
    assert blobs._folder == tmp_path
    assert isinstance(blobs._store, LocalStore)


async def test_a_blob_that_was_stored_once_more_meanwhile_is_not_deleted(blobs: Blobs) -> None:
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    first = await blobs.find(DIGEST)
    assert first is not None
    await asyncio.sleep(0.01)  # the store's clock must have moved on
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    assert not await blobs.delete(DIGEST, since=first.since)
    assert await blobs.size(DIGEST) == len(CONTENT)
    again = await blobs.find(DIGEST)
    assert again is not None
    assert await blobs.delete(DIGEST, since=again.since)
    assert await blobs.delete(DIGEST, since=again.since)
    assert not await blobs.exists(DIGEST)


@pytest.mark.parametrize("nanoseconds", [0, 1, 499, 500, 501, 999, 123_456_789, 999_999_999])
async def test_a_blob_is_never_taken_for_newer_than_it_is(tmp_path: Path, nanoseconds: int) -> None:
    blobs = Blobs.open(Settings(home=tmp_path))
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    os.utime(tmp_path / "blobs" / DIGEST[:2] / DIGEST, ns=(0, 1_700_000_000 * 10**9 + nanoseconds))
    found = await blobs.find(DIGEST)
    assert found is not None
    assert await blobs.delete(DIGEST, since=found.since)


async def test_the_inventory_names_what_has_a_digest_and_nothing_else(blobs: Blobs) -> None:
    await blobs.put(chunked(CONTENT), limit=len(CONTENT))
    await blobs._store.put_async("incoming/draft", b"never named")
    found = [stored async for page in blobs.inventory() for stored in page]
    assert [(stored.sha256, stored.size) for stored in found] == [(DIGEST, len(CONTENT))]


# -- blobs that come in parts -----------------------------------------------------------------------------------------


async def put_parts(blobs: Blobs, content: bytes, size: int = 3_000_000) -> None:
    for offset in range(0, len(content), size):
        await blobs.put_part(DIGEST, offset, content[offset : offset + size])


async def test_parts_become_a_blob_and_are_gone(blobs: Blobs) -> None:
    await put_parts(blobs, CONTENT)
    assert await blobs.coming(DIGEST) == len(CONTENT)
    assert not await blobs.exists(DIGEST)
    await blobs.join(DIGEST, len(CONTENT))
    assert b"".join([chunk async for chunk in blobs.stream(DIGEST)]) == CONTENT
    assert await blobs.coming(DIGEST) == 0


async def test_what_has_come_counts_up_to_the_first_gap(blobs: Blobs) -> None:
    assert await blobs.coming(DIGEST) == 0
    await blobs.put_part(DIGEST, 0, CONTENT[:10])
    await blobs.put_part(DIGEST, 10, CONTENT[10:15])
    await blobs.put_part(DIGEST, 10, CONTENT[10:15])  # again
    await blobs.put_part(DIGEST, 20, CONTENT[20:30])
    assert await blobs.coming(DIGEST) == 15
    assert [page async for page in blobs.inventory() if page] == []


@pytest.mark.parametrize("wrong", [bytes(len(CONTENT)), CONTENT + b"more", CONTENT[:-1], b""])
async def test_parts_of_other_content_become_nothing_and_are_gone(blobs: Blobs, wrong: bytes) -> None:
    await put_parts(blobs, wrong)
    with pytest.raises(WrongContent):
        await blobs.join(DIGEST, len(CONTENT))
    assert await blobs.coming(DIGEST) == 0
    assert not await blobs.exists(DIGEST)


async def test_a_blob_of_nothing_needs_no_part(blobs: Blobs) -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    await blobs.join(nothing, 0)
    assert await blobs.size(nothing) == 0


async def test_what_is_not_what_was_expected_leaves_no_trace(tmp_path: Path) -> None:
    blobs = Blobs.open(Settings(home=tmp_path))
    with pytest.raises(WrongContent, match="that are not 0000"):
        await blobs.put(chunked(CONTENT), limit=len(CONTENT), expected=ABSENT)
    assert files_under(tmp_path) == []
