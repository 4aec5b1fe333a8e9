"""Bundles are fetched from where they lie, from where an earlier try had come to, or it is said why not."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from services.catalog.app import wire
from shared.downloads.registry import PART
from shared.messages.base import Event
from shared.messages.catalog import (
    BundleProgressed,
    CommandAccepted,
    CommandRejected,
    ImportBundle,
    PublicationSettled,
    ReleaseAvailable,
)
from tests.service.catalog.shelf import put, rows
from tests.service.catalog.test_interruptions import process
from tests.support.bundles import bundle
from tests.support.file_source import PIECE, FileSource, file_source
from tests.support.images import noise
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

SMALL = bundle()
LARGE = bundle({"data/noise": noise(3 * PART + 5 * PIECE)})


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests serve lies here, and retries come soon."""
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")
    monkeypatch.setenv("BELAY_CATALOG_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("BELAY_CATALOG_PLAIN_SOURCES", "true")


@pytest.fixture
async def source() -> AsyncIterator[FileSource]:
    async with file_source(SMALL) as running:
        yield running


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def settled(world: World, command: ImportBundle) -> PublicationSettled:
    """What becomes of it."""
    answer = await world.ask(command)
    assert isinstance(answer, CommandAccepted)
    return await world.until(PublicationSettled, lambda e: e.publication == answer.command_id)


def left(world: World) -> list[Path]:
    """What lies in the store under no digest. What is still being written has a name with a "#", and is nothing yet."""
    return [path for path in (world.home / "blobs" / "incoming").glob("*") if path.is_file() and "#" not in path.name]


async def until_nothing_is_left(world: World) -> None:
    """A moment after the end is told."""
    await until_so(lambda: _is(not left(world)))


async def test_a_bundle_of_a_web_server_becomes_a_release(world: World, source: FileSource) -> None:
    source.headers["Content-Disposition"] = 'attachment; filename="../../lamp-1.tar.gz"'
    async with world.run("catalog", wire) as service:
        end = await settled(world, ImportBundle(source=source.url, sha256=sha(SMALL)))
        assert (end.state, end.app, end.version, end.bundle_sha256) == ("available", "lamp", "1.0.0", sha(SMALL))
        assert [await rows(service, table) for table in ("publication", "job", "release")] == [0, 0, 1]
        assert await service.pool.fetchval("select file_name from bundle") == "lamp-1.tar.gz"
        progress = world.events(BundleProgressed)
        assert progress[0].publication == end.publication
        await until_nothing_is_left(world)


async def test_a_redirection_is_followed_and_checked(world: World, source: FileSource) -> None:
    async with file_source(SMALL) as first, world.run("catalog", wire):
        first.moved_to = source.url
        assert (await settled(world, ImportBundle(source=first.url))).state == "available"
        first.moved_to = first.url
        assert (await settled(world, ImportBundle(source=first.url))).faults[0].code == "too_many_redirections"
        first.moved_to = "file:///etc/passwd"
        assert (await settled(world, ImportBundle(source=first.url))).faults[0].code == "source_refused"


async def test_what_an_address_says_in_its_parameters_is_told_to_nobody(world: World, source: FileSource) -> None:
    async with world.run("catalog", wire) as service:
        for url in (
            f"{source.url}?name=x&sig=s3cret",
            "http://[::1/x.tgz?sig=s3cret",
            "http://localhost:99999/?sig=s3cret",
        ):
            await settled(world, ImportBundle(source=url))
        origins = await service.pool.fetch("select origin ->> 'source' from bundle")
        assert [row[0] for row in origins] == [f"{source.url}?name=***&sig=***"]
    told = [event.model_dump_json() for event in world.events(Event)]
    assert told
    assert not [text for text in told if "s3cret" in text]


async def test_without_leave_nothing_of_this_machine_is_asked(
    world: World, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_ALLOW_PRIVATE_SOURCES", "false")
    async with world.run("catalog", wire):
        for url in (source.url, source.url.replace("localhost", "127.0.0.1"), "http://169.254.169.254/latest"):
            end = await settled(world, ImportBundle(source=url))
            assert (end.state, end.faults[0].code) == ("failed", "private_source"), url
            assert "BELAY_CATALOG_ALLOW_PRIVATE_SOURCES" in end.faults[0].message
    assert source.began == []


async def test_without_leave_nothing_comes_without_tls(
    world: World, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_PLAIN_SOURCES", "false")
    async with world.run("catalog", wire):
        refused = await world.ask(ImportBundle(source=source.url))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "insecure_source"
        end = await world.until(PublicationSettled)
        assert (end.publication, end.state, end.faults[0].code) == (refused.command_id, "rejected", "insecure_source")


async def test_a_server_that_nobody_vouches_for_is_not_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with file_source(SMALL, tls) as source, world.run("catalog", wire):
        assert (await settled(world, ImportBundle(source=source.url))).faults[0].code == "source_tls"
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert (await settled(world, ImportBundle(source=source.url))).state == "available"


@pytest.mark.parametrize(
    ("status", "code"), [(404, "source_missing"), (410, "source_missing"), (403, "source_refused")]
)
async def test_what_is_not_there_is_said_at_once(world: World, source: FileSource, status: int, code: str) -> None:
    source.status = status
    async with world.run("catalog", wire):
        end = await settled(world, ImportBundle(source=source.url))
        assert (end.state, end.faults[0].code, end.faults[0].field) == ("failed", code, "source")


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_source_that_is_ill_is_asked_again_which_is_told_and_given_up_in_the_end(
    world: World, source: FileSource, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_IMPORT_PATIENCE_SECONDS", "0.5")
    source.status = status
    async with world.run("catalog", wire):
        end = await settled(world, ImportBundle(source=source.url))
        assert (end.state, end.faults[0].code) == ("failed", "source_unreachable")
        assert str(status) in end.faults[0].message
        waits = [told.waits for told in world.events(BundleProgressed) if told.publication == end.publication]
        assert waits, "meanwhile somebody may ask why nothing comes"
        assert {(w.code, str(status) in w.message) for w in waits if w} == {("source_unreachable", True)}


async def test_nobody_there_and_no_such_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_CATALOG_IMPORT_PATIENCE_SECONDS", "0")
    async with world.run("catalog", wire):
        for url in ("http://localhost:1/x", "http://nobody.invalid/x"):
            assert (await settled(world, ImportBundle(source=url))).faults[0].code == "source_unreachable"


async def test_what_is_no_bundle_is_refused_at_its_first_bytes(world: World, source: FileSource) -> None:
    source.content = b"<html>" + bytes(64 * PIECE)
    source.stalls_after = 2 * PIECE
    async with world.run("catalog", wire):
        end = await settled(world, ImportBundle(source=source.url))
        assert (end.state, end.faults[0].code) == ("rejected", "not_gzip")
        assert source.sent <= 2 * PIECE
        source.content, source.stalls_after = b"", None
        assert (await settled(world, ImportBundle(source=source.url))).faults[0].code == "not_gzip"
        await until_nothing_is_left(world)


@pytest.mark.parametrize("says", [True, False], ids=["announced", "unannounced"])
async def test_what_is_too_large_is_not_taken(world: World, source: FileSource, says: bool) -> None:
    source.content, source.says_length = LARGE, says
    async with world.run("catalog", wire, max_bundle_bytes=PART):
        end = await settled(world, ImportBundle(source=source.url))
        assert (end.state, end.faults[0].code) == ("rejected", "too_large")
        await until_nothing_is_left(world)


async def test_what_has_another_digest_is_not_taken(world: World, source: FileSource) -> None:
    async with world.run("catalog", wire) as service:
        end = await settled(world, ImportBundle(source=source.url, sha256="0" * 64))
        assert (end.state, end.faults[0].code) == ("rejected", "wrong_digest")
        assert await rows(service, "bundle") == 0
        await until_nothing_is_left(world)


async def test_what_takes_too_long_is_given_up(
    world: World, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_IMPORT_SECONDS", "1")
    source.content, source.stalls_after = LARGE, PIECE
    async with world.run("catalog", wire):
        end = await settled(world, ImportBundle(source=source.url))
        assert (end.state, end.faults[0].code) == ("failed", "too_slow")


async def test_an_answer_that_breaks_off_again_and_again_is_gone_on_with(world: World, source: FileSource) -> None:
    source.content, source.breaks_after = LARGE, PART + PIECE
    async with world.run("catalog", wire):
        assert (await settled(world, ImportBundle(source=source.url))).state == "available"
        assert source.began[0] == 0
        assert len(source.began) > 2
        assert all(start >= PART for start in source.began[1:])


async def test_a_file_that_changed_meanwhile_comes_from_its_beginning(world: World, source: FileSource) -> None:
    source.content, source.breaks_after = LARGE[: 2 * PART] + bytes(len(LARGE)), PART + PIECE
    async with world.run("catalog", wire):
        answer = await world.ask(ImportBundle(source=source.url))
        await until_so(lambda: _is(len(source.began) > 0 and source.sent > PART))
        source.content, source.etag, source.breaks_after = LARGE, '"two"', None
        end = await world.until(PublicationSettled, lambda e: e.publication == answer.command_id)
        assert (end.state, end.bundle_sha256) == ("available", sha(LARGE))


async def _is(so: bool) -> bool:
    return so


async def test_killed_while_it_fetches_the_next_one_fetches_only_what_follows(world: World, source: FileSource) -> None:
    source.content, source.stalls_after = LARGE, 3 * PART
    victim = await process(world)
    try:
        sent = await world.send(ImportBundle(source=source.url))
        await until_so(lambda: _is(len([p for p in left(world) if p.stat().st_size >= PART]) == 2))
    finally:
        victim.kill()
        await victim.wait()
    source.stalls_after = None
    source.goes_on.set()
    second = await process(world)
    try:
        end = await world.until(PublicationSettled)
    finally:
        second.terminate()
        await second.wait()
    assert (end.publication, end.state) == (sent, "available")
    assert source.began[1] >= 2 * PART
    assert len(world.events(PublicationSettled)) == len(world.events(ReleaseAvailable)) == 1


async def test_a_reference_to_the_blob_store_is_published_from_there(world: World) -> None:
    async with world.run("catalog", wire):
        blob = await put(world, SMALL)
        assert (await settled(world, ImportBundle(source=f"sha256:{blob.sha256}"))).state == "available"
        refused = await world.ask(ImportBundle(source=f"sha256:{'0' * 64}"))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "unknown_bundle"
        differs = await world.ask(ImportBundle(source=f"sha256:{blob.sha256}", sha256="0" * 64))
        assert isinstance(differs, CommandRejected)
        assert (differs.code, differs.faults[0].field) == ("wrong_digest", "sha256")


async def test_a_reference_that_names_no_registry_is_refused(world: World) -> None:
    async with world.run("catalog", wire):
        refused = await world.ask(ImportBundle(source="oci://team/app:1"))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "bad_reference"
