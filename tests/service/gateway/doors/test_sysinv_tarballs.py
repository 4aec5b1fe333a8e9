"""Application tarballs of StarlingX at the sysinv door: taken as they are, or refused in the words of sysinv."""

import pytest

from tests.service.gateway.doors.sysinv_door import APPS, SITE, everything, sending
from tests.support.starlingx import Files, armada, flux, summed, tarball
from tests.support.world import World

pytestmark = pytest.mark.service


def without(files: Files, start: str) -> Files:
    return {name: content for name, content in files.items() if not name.startswith(start)}


FLUX = flux("lamp", "1.0-1")
REFUSED: list[tuple[Files, str]] = [
    (summed(FLUX) | {"fluxcd-manifests/base/helmrepository.yaml": b"changed: true\n"}, "checksum validation failed."),
    (without(FLUX, "charts/"), "tar file contains no Helm charts."),
    (without(FLUX, "fluxcd-manifests/"), "FluxCD manifest structure is not present."),
    (
        FLUX | {"metadata.yaml": b"app_name: lamp\napp_version: 1.0-1\nsupported_k8s_version: 7\n"},
        "metadata validation",
    ),
]


async def test_each_generation_is_uploaded_and_its_charts_are_listed(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.made("POST", APPS, sending(tarball(summed(FLUX)), "/x/lamp-1.0-1.tgz"))
        shown = await door.shows("uploaded", "lamp")
        assert (shown["app_version"], shown["manifest_name"]) == ("1.0-1", "lamp-fluxcd-manifests")
        old = sending(tarball(armada()), "/x/old.tgz", name="old-lamp", app_version="19.01-1")
        await door.made("POST", APPS, old)
        assert (await door.shows("uploaded", "old-lamp"))["app_version"] == "19.01-1"


async def test_a_broken_one_is_refused_with_their_words_and_nothing_of_it_is_seen(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        for files, words in REFUSED:
            told = await door.refuses(400, "POST", APPS, sending(tarball(files), "/x/lamp.tgz"))
            assert told.startswith("Application-upload rejected: ")
            assert words in told
            assert await door.get(APPS) == {"apps": []}
