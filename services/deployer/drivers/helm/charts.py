"""Charts on this host: unpacked from bundles, or pulled from OCI registries by digest; the last used are kept."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers import Item, Order
from services.deployer.drivers.bundles import Unpack, UnpackedBundles, prune
from services.deployer.drivers.content import WHOLE, FolderSink, Laid, Source, failed, send
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls
from services.deployer.drivers.helm.binary import Helm
from services.deployer.drivers.helm.connection import Registry
from services.deployer.drivers.in_memory import in_memory, path_of
from services.deployer.drivers.locks import locked
from shared.components.helm import HelmSpec

FROM_REGISTRY = "chart.tgz"
"""The name of a chart that no bundle gave a name."""

FILES_OF_A_CHART = 50
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on this host, and the values files of its component."""

    path: Path
    values_files: tuple[Path, ...] = ()


class Charts:
    """The charts under a folder, which any number of deployers may share."""

    def __init__(self, folder: Path, unpack: Unpack, helm: Helm, keep: int, source: Source | None = None) -> None:
        """`source`: where prepared content comes from; without it charts come from their bundles and registries."""
        self._bundles = UnpackedBundles(folder / "bundles", unpack, keep)
        self._pulled_charts = folder / "pulled"
        self._laid = folder / "laid"
        self._content = FolderSink(folder / "content")
        self._source = source
        self._helm = helm
        self._keep = keep

    async def bring(self, order: Order, registry: Registry, told: Callable[[int], None]) -> Chart:
        """The same, with what was prepared of it; `told` hears of each chunk. Raises Failed."""
        if self._source and order.items:
            with _told_as_ours():
                await self._sent(order, self._source, told)
        return await self.of(order, registry)

    async def _sent(self, order: Order, source: Source, told: Callable[[int], None]) -> None:
        try:
            await send(order.items, self._content, source.blobs, source.pace.at(order.site), told)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise  # on this machine, and not on the site
            raise failed(error) or error from error

    async def of(self, order: Order, registry: Registry) -> Chart:
        """The chart of an order; fetched if it is not there. Raises Failed."""
        with _told_as_ours():
            return await self._had(order, registry)

    async def _had(self, order: Order, registry: Registry) -> Chart:
        spec: HelmSpec = order.component.spec
        if prepared := await self._prepared(order):
            return self._chart(prepared, spec)
        if not spec.in_registry:
            return self._chart(await self._bundle(order), spec)
        pulled = await self._pulled(spec.chart, registry)
        return Chart(pulled, self._chart(await self._bundle(order), spec).values_files if spec.values_files else ())

    async def _prepared(self, order: Order) -> Path | None:
        """The chart and its values files from what lies here under their digests, if all of it does."""
        names = {item.name for item in order.items}
        if not order.items or any(offset != WHOLE for offset in await self._content.offsets(order.items)):
            return None
        if not set(order.component.spec.values_files) <= names:
            return None
        laid = Laid({_file_of(item): self._content.path(item.sha256) for item in order.items})
        target = self._laid / laid.digest
        async with locked(self._laid / f".{laid.digest}.lock"):
            if not await asyncio.to_thread(target.is_dir):
                draft = self._laid / f".{uuid.uuid4().hex}"
                await laid.build(draft)
                draft.rename(target)
            await asyncio.to_thread(os.utime, target)
        return target

    @staticmethod
    def _chart(folder: Path, spec: HelmSpec) -> Chart:
        chart = FROM_REGISTRY if spec.in_registry else spec.chart
        return Chart(folder / chart, tuple(folder / name for name in spec.values_files))

    async def _bundle(self, order: Order) -> Path:
        if not order.bundle_sha256:
            raise Failed("bad_order", "the order names no bundle, but its chart lies in one")
        return await self._bundles.of(order.bundle_sha256)

    def prune(self, now: float) -> None:
        """Clear away what has not been used for long, and what killed processes left."""
        self._bundles.prune(now)
        prune(self._pulled_charts, self._keep, now)
        prune(self._laid, self._keep, now)
        prune(self._content.folder, self._keep * FILES_OF_A_CHART, now)

    async def _pulled(self, reference: str, registry: Registry) -> Path:
        target = self._pulled_charts / f"{reference.rpartition(':')[2]}.tgz"
        if not target.exists():
            draft = self._pulled_charts / f".{uuid.uuid4().hex}"
            draft.mkdir(parents=True)
            try:
                await self._pull(reference, draft, registry)
                await asyncio.to_thread(_take, draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        os.utime(target)
        return target

    async def _pull(self, reference: str, draft: Path, registry: Registry) -> None:
        with in_memory(login(reference, registry)) as config:
            arguments = calls.pull(reference, str(draft), path_of(config), plain_http=registry.plain_http)
            ran = await self._helm.run(arguments, [config], _never)
        if not ran.well:
            why = ran.words.strip().splitlines()[-1:] or ["helm brought no chart"]
            code = "disk_full" if os.strerror(errno.ENOSPC).lower() in ran.words.lower() else "chart_not_pulled"
            raise Failed(code, f"{reference}: {why[0].removeprefix('Error: ')}", ran.last_lines)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    """A disk of ours that is full, or a store that does not answer, is no defect: it can be tried again."""
    try:
        yield
    except OSError as error:
        code = "disk_full" if error.errno in NO_ROOM else "host_error"
        raise Failed(code, f"the chart cannot be had on the deployer's machine: {error}") from error


def _file_of(item: Item) -> str:
    return FROM_REGISTRY if item.name.startswith("oci://") else item.name


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
