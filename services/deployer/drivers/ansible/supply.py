"""What an order's component brings to its hosts, brought there before its playbooks run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.deployer.drivers import Done, Order
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.connection import Host
from services.deployer.drivers.ansible.delivery import Delivery, Paths, sent_for
from services.deployer.drivers.ansible.files import Brought, Files
from services.deployer.drivers.bundles import UnpackedBundles
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from shared.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Supply:
    """Finds the content of orders, and has it delivered."""

    delivery: Delivery
    bundles: UnpackedBundles
    blobs: Blobs
    brought: Brought = field(default_factory=Brought)

    async def carry_out(self, run: Run, hosts: Mapping[str, Host]) -> Done:
        """An order that runs no playbook. Raises Failed."""
        if run.order.action == "discard":
            return await self.delivery.discard(run, hosts)
        files, lacking = await self._files(run.order), await self._way_back([run])
        await self.delivery.bring(run, hosts, files)
        told = f"{len(files.items)} files on {len(hosts)} host{'s' if len(hosts) > 1 else ''}"
        return Done("", f"{told if files.items else 'it brings no files'}{lacking}", sent_for(run))

    async def bring(
        self, runs: Sequence[Run], hosts: Mapping[str, Mapping[str, Host]], project: Path
    ) -> tuple[list[Run], Paths]:
        """The runs whose hosts have their content, and where it lies, by host; the others have ended with this.

        They share a run, and so their content. `hosts`: by site. `project`: their unpacked bundle.
        """
        if runs[0].order.action not in ("apply", "rollback", "fetch"):
            return list(runs), {}
        files = await self._files(runs[0].order, project)
        await self._way_back(runs)
        brought = await asyncio.gather(*(self._to(run, hosts[run.order.site], files) for run in runs))
        ready = [run for run, paths in zip(runs, brought, strict=True) if paths is not None]
        return ready, {host: where for paths in brought if paths for host, where in paths.items()}

    async def _to(self, run: Run, hosts: Mapping[str, Host], files: Files) -> Paths | None:
        try:
            return await self.delivery.bring(run, hosts, files)
        except Failed as failed:
            await run.end(failed.broken)
            return None

    async def _way_back(self, runs: Sequence[Run]) -> str:
        """Have at hand what a failure of the release to come would lead back to; what is lacking, in words.

        A bundle that the store has no more holds up no other: then the new release is all the more wanted.
        """
        lacking = ""
        for sha256 in sorted({run.order.back_sha256 or "" for run in runs} - {""}):
            try:
                with told_as_host_error():
                    await self.bundles.of(sha256)
            except Failed as failed:
                if failed.broken.code == "host_error":
                    raise
                lacking = f"; of the way back: {failed.broken.message}"
        return lacking

    async def _files(self, order: Order, project: Path | None = None) -> Files:
        """What the order's component brings: as it was prepared, or as its bundle has it.

        A fetch unpacks the bundle, too, so that the playbooks are at hand when the store is not.
        """
        packages = tuple(item for item in order.items if item.kind == "package")
        with told_as_host_error():
            folder = project or await self.bundles.of(str(order.bundle_sha256))
            if order.action == "fetch" and packages:
                return Files(packages, self.blobs)
            return Files(await self.brought.of(planning.digest_of(order), order, folder), self.blobs, folder)


@contextmanager
def told_as_host_error() -> Iterator[None]:
    """A disk that is full, say, is no defect of ours."""
    try:
        yield
    except OSError as error:
        raise Failed("host_error", f"a run cannot be begun on the deployer's machine: {error}") from error
