"""Charts on this host: unpacked from bundles, or pulled from OCI registries by digest; the last used are kept."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers import Order
from services.deployer.drivers.durable.tool import Failed
from services.deployer.drivers.helm import calls
from services.deployer.drivers.helm.binary import Helm, in_memory, path_of
from services.deployer.drivers.helm.connection import Registry
from shared import bundle
from shared.blobs import Blobs, UnknownBlob
from shared.components.helm import HelmSpec

Unpack = Callable[[str, Path], Awaitable[None]]
"""Put the files of a bundle, by its digest, into a folder that appears whole or not at all. Raises Failed."""

DRAFT_SECONDS = 3600
"""What was begun so long ago and never got its name was left by a deployer that was killed."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on this host, and the values files of its component."""

    path: Path
    values_files: tuple[Path, ...] = ()


def from_store(blobs: Blobs) -> Unpack:
    """How the driver gets at bundles."""

    async def unpack(sha256: str, target: Path) -> None:
        try:
            async with blobs.as_file(sha256) as file:
                await asyncio.to_thread(bundle.unpack, file, target)
        except UnknownBlob:
            raise Failed("bundle_missing", f"the blob store has no bundle {sha256}") from None
        except bundle.BundleRefused as refused:
            raise Failed("bundle_refused", f"the bundle {sha256} cannot be unpacked: {refused}") from refused

    return unpack


class Charts:
    """The charts under a folder, which any number of deployers may share."""

    def __init__(self, folder: Path, unpack: Unpack, helm: Helm, keep: int) -> None:
        self._folder = folder
        self._unpack = unpack
        self._helm = helm
        self._keep = keep

    async def of(self, order: Order, registry: Registry) -> Chart:
        """The chart of an order; fetched if it is not there. Raises Failed."""
        spec: HelmSpec = order.component.spec
        if not spec.in_registry:
            return self._chart(await self._bundle(order), spec)
        pulled = await self._pulled(spec.chart, registry)
        return Chart(pulled, self._chart(await self._bundle(order), spec).values_files if spec.values_files else ())

    @staticmethod
    def _chart(folder: Path, spec: HelmSpec) -> Chart:
        return Chart(folder / spec.chart, tuple(folder / name for name in spec.values_files))

    async def _bundle(self, order: Order) -> Path:
        if not order.bundle_sha256:
            raise Failed("bad_order", "the order names no bundle, but its chart lies in one")
        target = self._folder / order.bundle_sha256
        if not target.exists():
            with suppress(FileExistsError):  # another order has unpacked it meanwhile
                await self._unpack(order.bundle_sha256, target)
            await asyncio.to_thread(self._tidy)
        os.utime(target)
        return target

    async def _pulled(self, reference: str, registry: Registry) -> Path:
        target = self._folder / f"{reference.rpartition(':')[2]}.tgz"
        if not target.exists():
            draft = self._folder / f".{uuid.uuid4().hex}"
            draft.mkdir(parents=True)
            try:
                await self._pull(reference, draft, registry)
                await asyncio.to_thread(_take, draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            await asyncio.to_thread(self._tidy)
        os.utime(target)
        return target

    async def _pull(self, reference: str, draft: Path, registry: Registry) -> None:
        with in_memory(login(reference, registry)) as config:
            arguments = calls.pull(reference, str(draft), path_of(config), plain_http=registry.plain_http)
            ran = await self._helm.run(arguments, [config], _never)
        if not ran.well:
            why = ran.words.strip().splitlines()[-1:] or ["helm brought no chart"]
            raise Failed("chart_not_pulled", f"{reference}: {why[0].removeprefix('Error: ')}", ran.last_lines)

    def _tidy(self) -> None:
        """Keep the last used; and what was begun and never ended goes."""
        entries = [(one.stat().st_mtime, one) for one in self._folder.iterdir()]
        old = [one for moment, one in entries if one.name.startswith(".") and moment < time.time() - DRAFT_SECONDS]
        whole = sorted((entry for entry in entries if not entry[1].name.startswith(".")), reverse=True)
        for one in [*old, *(one for _, one in whole[self._keep :])]:
            shutil.rmtree(one) if one.is_dir() else one.unlink(missing_ok=True)


def _take(draft: Path, target: Path) -> None:
    """What helm brought gets its name."""
    for chart in draft.glob("*.tgz"):
        chart.rename(target)


async def _never() -> None:
    await asyncio.Event().wait()


def login(reference: str, registry: Registry) -> bytes:
    """The registries' configuration with the one login, as Helm and Docker read it."""
    if registry.username is None or registry.password is None:
        return b"{}"
    host = reference.removeprefix("oci://").partition("/")[0]
    pair = f"{registry.username}:{registry.password.get_secret_value()}"
    return json.dumps({"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}).encode()
