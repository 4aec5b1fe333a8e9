"""Images out of a real registry: plain, behind TLS with a login, with tokens, or in place of another one."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.store import LocalStore

from services.catalog.app import wire
from services.catalog.preparation.pulling import Puller
from shared.blobs import Blobs
from shared.components.helm import CHART
from shared.downloads.registry import PART, Access, RegistryAway, RegistryRefused
from shared.messages.catalog import ImportBundle, PublicationSettled
from tests.service.catalog.preparing import available, failed, lies, prepare, prepared, with_image
from tests.support.bundles import bundle
from tests.support.image_registry import ImageRegistry, image_registry
from tests.support.images import image, listed, noise, sha
from tests.support.lacking import left_out
from tests.support.world import World

pytestmark = pytest.mark.containers

SMALL = image(noise(200_000), noise(1000, 1))
REFERENCE = f"images.invalid/team/app@sha256:{SMALL.sha256}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(LocalStore(tmp_path / "blobs", mkdir=True), tmp_path / "blobs")


async def hold(_: Mapping[str, int]) -> None:
    """Nothing is freed here."""


async def went_on() -> None:
    """Nobody waits for it."""


async def has(blobs: Blobs, sha256: str) -> bool:
    content = b"".join([chunk async for chunk in blobs.stream(sha256)])
    return hashlib.sha256(content).hexdigest() == sha256


@pytest.mark.parametrize("oci", [True, False], ids=["OCI", "Docker"])
async def test_an_image_of_a_real_registry_is_had_whole(plain: ImageRegistry, blobs: Blobs, oci: bool) -> None:
    made = image(noise(2 * PART + 77, 3), noise(10, 4), oci=oci)
    puller = Puller(blobs, Access(), ("linux/amd64",))
    [pulled] = await puller.image(plain.push("team/app", made), None, hold, went_on)
    assert (pulled.sha256, sum(pulled.blobs.values()), pulled.platform) == (made.sha256, made.bytes, "linux/amd64")
    assert all([await has(blobs, digest) for digest in (made.sha256, *made.blobs)])


@pytest.mark.parametrize("oci", [True, False], ids=["OCI", "Docker"])
async def test_of_a_list_only_the_wanted_platform_is_fetched(plain: ImageRegistry, blobs: Blobs, oci: bool) -> None:
    amd, arm = (image(noise(500, n), platform=f"linux/{name}", oci=oci) for n, name in enumerate(("amd64", "arm64")))
    many = listed([("linux/amd64", amd), ("linux/arm64", arm)], oci=oci)
    puller = Puller(blobs, Access(), ("linux/amd64",))
    [pulled] = await puller.image(plain.push("many", many), "linux/arm64", hold, went_on)
    assert (pulled.sha256, list(pulled.index)) == (arm.sha256, [many.sha256])
    assert not await blobs.exists(amd.sha256)


async def test_a_layer_goes_on_where_it_was(plain: ImageRegistry, blobs: Blobs) -> None:
    layer = noise(2 * PART + 5, 6)
    reference = plain.push("app", image(layer))
    await blobs.put_part(sha(layer), 0, layer[:PART])
    await Puller(blobs, Access(), ("linux/amd64",)).image(reference, None, hold, went_on)
    assert await has(blobs, sha(layer))


async def test_a_chart_of_a_registry_is_the_one_file_that_it_holds(plain: ImageRegistry, blobs: Blobs) -> None:
    chart = noise(3000, 8)
    reference = plain.push("charts/shop", image(chart, layer_type=CHART))
    found = await Puller(blobs, Access(), ()).file(f"oci://{reference}", CHART, hold, went_on)
    assert (found.sha256, found.bytes) == (sha(chart), 3000)
    assert await has(blobs, sha(chart))


async def test_a_mirror_is_asked_in_the_place_of_a_registry(plain: ImageRegistry, blobs: Blobs) -> None:
    plain.push("proxy/team/app", SMALL)
    access = Access(mirrors={"images.invalid": f"{plain.host}/proxy"})
    [pulled] = await Puller(blobs, access, ("linux/amd64",)).image(REFERENCE, None, hold, went_on)
    assert pulled.sha256 == SMALL.sha256


async def test_a_registry_behind_tls_wants_its_login_and_its_authority(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with image_registry(tmp_path, login=True) as locked:
        locked.push("team/app", SMALL)
        with pytest.raises(RegistryAway, match=r"(?i)certificate"):
            await Puller(blobs, https(locked), ("linux/amd64",)).image(REFERENCE, None, hold, went_on)
        monkeypatch.setenv("SSL_CERT_FILE", str(locked.ca))
        nobody = replace(https(locked), logins=tmp_path / "nothing.json")
        with pytest.raises(RegistryRefused, match="401") as refused:
            await Puller(blobs, nobody, ("linux/amd64",)).image(REFERENCE, None, hold, went_on)
        assert refused.value.code == "registry_refused"
        [pulled] = await Puller(blobs, https(locked), ("linux/amd64",)).image(REFERENCE, None, hold, went_on)
        assert pulled.sha256 == SMALL.sha256


def https(registry: ImageRegistry) -> Access:
    """Under a name of somewhere else: one of this machine would be asked without TLS."""
    return Access({"images.invalid": f"https://{registry.host}"}, logins=registry.logins)


async def test_a_token_is_had_of_the_server_that_the_registry_names(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with image_registry(tmp_path, tokens=True) as locked:
        monkeypatch.setenv("SSL_CERT_FILE", str(locked.ca))
        locked.push("team/app", SMALL)
        locked.given.clear()
        [pulled] = await Puller(blobs, https(locked), ("linux/amd64",)).image(REFERENCE, None, hold, went_on)
        assert pulled.sha256 == SMALL.sha256
        assert set(locked.given) == {"repository:team/app:pull"}


@pytest.mark.service
async def test_a_release_is_prepared_from_a_real_registry(world: World, plain: ImageRegistry) -> None:
    async with world.run("catalog", wire):
        await available(world, with_image(plain.push("app", SMALL)))
        await prepare(world)
        told = await prepared(world)
        await available(world, with_image(f"{plain.host}/none@sha256:{'d' * 64}", "2.0.0"), "2.0.0")
        await prepare(world, "2.0.0")
        assert (await failed(world, "2.0.0")).cause.code == "image_unavailable"
    assert told.bytes == SMALL.bytes
    assert all(lies(world, digest) for digest in (SMALL.sha256, *SMALL.blobs))


@pytest.fixture
def small_store(world: World) -> Iterator[Path]:
    """A blob store on a disk of its own, which is soon full."""
    if os.geteuid() != 0:
        left_out("a disk of its own needs root")
    folder = world.home / "blobs"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "belay", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def give_room(store: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=40m", str(store)], check=True)


@pytest.mark.service
async def test_a_disk_that_is_full_is_told_and_what_had_come_is_kept_for_when_it_has_room(
    world: World, plain: ImageRegistry, small_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer needs room twice for a moment: its parts, and the whole."""
    monkeypatch.setenv("BELAY_CATALOG_PREPARE_PATIENCE_SECONDS", "1")
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")
    layer = noise(2 * PART - 1000, 12)
    async with world.run("catalog", wire):
        await available(world, with_image(plain.push("full", image(layer))))
        await prepare(world, on_behalf="s1/1")
        assert (await failed(world)).cause.code == "disk_full"
        parts = list((small_store / "incoming").glob(f"{sha(layer)}.*"))
        assert sum(part.stat().st_size for part in parts) == len(layer)
        give_room(small_store)
        plain.forget(sha(layer))
        await prepare(world, on_behalf="s2/1")
        await prepared(world)
    assert lies(world, sha(layer))


async def test_a_bundle_that_is_an_artifact_is_fetched_by_its_digest_and_by_its_tag(
    plain: ImageRegistry, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_PLAIN_REGISTRIES", plain.host)
    content = bundle()
    made = image(content)
    reference = plain.push("team/lamp", made)
    plain.tag("team/lamp", made, "1.0")
    two = plain.push("team/two", SMALL)
    async with world.run("catalog", wire):
        for source in (f"oci://{reference}", f"oci://{plain.host}/team/lamp:1.0"):
            answer = await world.ask(ImportBundle(source=source))
            end = await world.until(PublicationSettled, lambda e, id_=answer.command_id: e.publication == id_)
            assert (end.state, end.bundle_sha256) == ("available", sha(content))
        for source, code in (
            (f"oci://{two}", "not_a_bundle"),
            (f"oci://{plain.host}/team/lamp@sha256:{'0' * 64}", "image_unavailable"),
            (f"oci://{plain.host}/team/lamp:none", "image_unavailable"),
        ):
            answer = await world.ask(ImportBundle(source=source))
            end = await world.until(PublicationSettled, lambda e, id_=answer.command_id: e.publication == id_)
            assert end.faults[0].code == code, source
