"""How much room an image takes on an engine: what its registry says of the layers that the engine lacks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

import structlog

from services.deployer.drivers.container.connection import Connection
from services.deployer.drivers.container.engine import Engine
from shared.components.image_manifests import BadManifest, ImageManifest, choose, read
from shared.components.images import Image
from shared.downloads.registry import Access, RegistryAway, RegistryRefused, RegistrySilent, blob_of, manifest_of

log = structlog.get_logger()

SECONDS = 10.0
"""A registry that does not answer the deployer for so long may answer the engine all the same."""

SILENT_SECONDS = 5.0
"""For each answer, so that a thread ends about when nobody waits for it any more."""
AWAY_SECONDS = 300.0
"""One that gave no answer is not asked again for so long."""
LONG_AGO = float("-inf")
THREADS = 8

MIB = 1 << 20


class Registries:
    """Asked by one replica, in threads of their own: one that is away keeps none of those that all else is done in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="registries")
        self._away: dict[str, float] = {}
        """When it gave no answer. A firewall that lets engines out, and us not, is not ours to wait for each time."""

    async def lacking(self, engine: Engine, image: Image, platform: str, connection: Connection) -> int | None:
        """Compressed bytes of the layers that the engine lacks; None where the registry does not say that to us."""
        if self._is_away(image):
            return None
        access = Access(passwords=_passwords(connection), seconds=SILENT_SECONDS)
        asked = asyncio.get_running_loop().run_in_executor(self._threads, self._described, image, platform, access)
        try:
            async with asyncio.timeout(SECONDS):
                manifest, stack = await asked
        except (RegistryAway, RegistryRefused, BadManifest, TimeoutError, ValueError, KeyError, TypeError) as error:
            about = {"image": image.by_digest, "why": str(error)[:300]}
            log.info("a registry does not say how large an image is", action="size_unknown", **about)
            return None
        return compressed(manifest, stack, await engine.stacks())

    def _described(self, image: Image, platform: str, access: Access) -> tuple[ImageManifest, Sequence[str]]:
        """In a thread, which learns of the silence also where nobody waits for it any more."""
        if self._is_away(image):  # by now, since this waited for a thread
            raise RegistrySilent(f"the registry {image.registry} gave no answer a moment ago")
        try:
            return _described(image, platform, access)
        except RegistrySilent:
            self._away[str(image.registry)] = self._clock()
            raise

    def _is_away(self, image: Image) -> bool:
        return self._clock() - self._away.get(str(image.registry), LONG_AGO) < AWAY_SECONDS


def _passwords(connection: Connection) -> Mapping[str, str]:
    logins = connection.registries.items()
    return {registry: f"{login.username}:{login.password.get_secret_value()}" for registry, login in logins}


def _described(image: Image, platform: str, access: Access) -> tuple[ImageManifest, Sequence[str]]:
    """The manifest for the platform, and its layers as engines know them."""
    found = read(manifest_of(image, _plain(image.digest), access))
    if not isinstance(found, ImageManifest):
        (chosen,) = choose(found, [platform])
        found = read(manifest_of(image, chosen.sha256, access))
    if not isinstance(found, ImageManifest):
        raise BadManifest("a list of manifests names another one")
    config = json.loads(b"".join(blob_of(image, found.config.sha256, 0, access)))
    return found, [_plain(each) for each in config["rootfs"]["diff_ids"]]


def _plain(digest: object) -> str:
    return str(digest).removeprefix("sha256:")


def compressed(manifest: ImageManifest, stack: Sequence[str], there: Iterable[Sequence[str]]) -> int:
    """Of the layers above the highest stack of them that an image on the engine has: engines share no others. Pure."""
    if len(stack) != len(manifest.layers):
        return sum(layer.bytes for layer in manifest.layers)
    shared = max((_in_common(stack, other) for other in there), default=0)
    return sum(layer.bytes for layer in manifest.layers[shared:])


def _in_common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def too_little(free: int, lacks: int | None, times: float, kept: int) -> str:
    """Why an image must not come; empty = there is room. `kept` must stay free; `times` that for the layers."""
    if free >= (lacks or 0) * times + kept:
        return ""
    if lacks is None:
        return f"{free // MIB} MiB are left on the engine's disk, less than the {kept // MIB} that must be free"
    needed = f"the layers that it lacks have {_mib(lacks)} MiB compressed, for which {times:g} times that is needed"
    return f"{free // MIB} MiB are left on the engine's disk; {needed}, and {kept // MIB} MiB must stay free"


def _mib(count: int) -> str:
    return f"{count / MIB:.1f}" if count < 10 * MIB else str(count // MIB)
