"""One order, step by step. Each step may be interrupted by death and is then done again from its beginning."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from services.deployer.drivers import Broken, Done, Order
from services.deployer.drivers.bundles import Unpack
from services.deployer.drivers.content import Source, failed
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.process import release, run
from services.deployer.drivers.process.content import Content, prepared_bundle, unless_stopped
from services.deployer.drivers.process.health import living, prove
from services.deployer.drivers.process.host import Installed, install
from services.deployer.drivers.process.keeper import memory
from services.deployer.drivers.process.keeper.folder import Launch
from services.deployer.drivers.process.order_file import OrderFile
from services.deployer.drivers.process.place import Place
from services.deployer.drivers.process.port import stranger
from services.deployer.drivers.process.release import RevisionSpec

log = structlog.get_logger()


class Superseded(Failed):
    """A newer order for the same component was begun; what runs is its business now."""

    def __init__(self) -> None:
        super().__init__("superseded", "a newer order for this component was begun before this one was done")


@dataclass(frozen=True, slots=True)
class Procedure:
    """An order at its place. Whoever runs it holds the work lock of the place's folder."""

    order: Order
    place: Place
    port: int
    file: OrderFile
    unpack: Unpack
    source: Source | None = None

    async def run(self) -> Done | Broken:
        """Bring the order to its end, from wherever an earlier run was interrupted."""
        try:
            self._give_way()
            return await self._steps[self.order.action]()
        except Superseded as failed:
            return failed.broken
        except Failed as failed:
            await self._stop_own()
            return failed.broken
        except OSError as error:
            log.exception("an order failed on its host", action="order_failed", order=self.order.key)
            await self._stop_own()
            return Broken("host_error", f"the host failed: {error}")

    @property
    def _steps(self) -> Mapping[str, Callable[[], Awaitable[Done]]]:
        content = Content(self.order, self.place, self.file, self.source, self._give_way)
        fetch = self._make_ready if self.order.deploys else content.fetch
        beside = {"fetch": fetch, "discard": content.discard}
        return {"apply": self._reach, "rollback": self._reach, "remove": self._remove, **beside}

    async def _make_ready(self) -> Done:
        """Install what is to be deployed, beside what runs. It is written down, so that nobody clears it away."""
        spec = release.wanted(self.place, self.order)
        self.file.step("ready")
        release.record(self.place, spec)
        release.doubt(self.place, spec)
        prepared = await prepared_bundle(self.place, spec.component, self.order.items)
        try:
            await unless_stopped(install(self.place.host, spec, self.unpack, prepared, self._fetching), self._give_way)
        except Exception as error:
            raise failed(error) or error from error
        return Done("", f"release {spec.version} is installed")

    async def _reach(self) -> Done:
        spec = release.wanted(self.place, self.order)
        self.file.step("install")
        release.record(self.place, spec)
        prepared = await prepared_bundle(self.place, spec.component, self.order.items)
        try:
            installed = await install(self.place.host, spec, self.unpack, prepared, self._fetching)
            self._give_way()
            launch = await self._launch(spec, installed)
            await self._prove(launch, spec)
        except Failed:
            release.doubt(self.place, spec)
            raise
        release.prove(self.place, spec)
        return Done(spec.revision, f"healthy on port {self.port}")

    async def _launch(self, spec: RevisionSpec, installed: Installed) -> Launch:
        """Replace what runs by the wanted revision, unless an interrupted run of this order has done so."""
        folder, own = self.place.folder, self._own_launch()
        if own:
            memory.give(folder.root, self.order.key, release.secrets_of(self.order))
            await run.start_keeper(folder)
            return own
        secrets = release.secrets_of(self.order)
        where = (self.port, installed.bundle, installed.env, secrets)
        launch = release.launch_of(self.place, spec, self.order.key, *where)
        await self._refuse_taken_port()
        if secrets:
            self._refuse_disk()
        self.file.step("stop")
        await run.stop(folder)
        self.file.step("switch")
        await asyncio.to_thread(release.switch, self.place, spec, installed.bundle)
        self.file.step("launch")
        memory.give(folder.root, self.order.key, secrets)
        return await run.launch(folder, launch)

    async def _fetching(self, sha256: str) -> None:
        """The bundle is about to be sent: noted before, for who is killed in the middle will do it once more."""
        if self.source and (count := await self.source.blobs.size(sha256)):
            self.file.note_fetched(count)

    def _own_launch(self) -> Launch | None:
        launch = self.place.folder.launch()
        return launch if launch and launch.order == self.order.key and launch.wanted else None

    async def _refuse_taken_port(self) -> None:
        """Before the running release is touched: a stranger on the port would be there also after the stop."""
        life = self.place.folder.life()
        if holder := await asyncio.to_thread(stranger, life.mark if life else None, self.port):
            raise Failed("port_taken", f"port {self.port} is used by {holder}")

    def _refuse_disk(self) -> None:
        """Before the running release is touched: values of secrets are kept in memory, or not at all."""
        try:
            memory.refuse()
        except OSError as error:
            raise Failed("no_memory", f"it takes secrets, and {error}") from error

    async def _prove(self, launch: Launch, spec: RevisionSpec) -> None:
        folder = self.place.folder
        self.file.step("prove")
        await prove(folder, launch, spec, self._give_way)
        folder.write_launch(replace(launch, proven=True))
        living(folder, launch)  # it may have died before its keeper could know that it is to be restarted

    async def _remove(self) -> Done:
        self.file.step("remove")
        await run.stop(self.place.folder)
        kept = await asyncio.to_thread(_take_away, self.place)
        return Done("", f"removed; its data is kept in {kept}" if kept else "removed; it had no data")

    def _give_way(self) -> None:
        """A safe point: the site is as it was, or runs the new release."""
        if self.file.superseded:
            raise Superseded
        if self.file.cancelled:
            raise Failed("cancelled", "the order was cancelled")

    async def _stop_own(self) -> None:
        """A release that was not proven shall not go on serving."""
        if self._own_launch():
            try:
                await run.stop(self.place.folder)
            except (Failed, OSError):
                log.exception("cannot stop a broken release", action="stop_failed", order=self.order.key)


def _take_away(place: Place) -> Path | None:
    """Everything but the data, which gets a name that no later deployment uses."""
    memory.forget(place.folder.root)
    place.current.unlink(missing_ok=True)
    shutil.rmtree(place.releases, ignore_errors=True)
    (place.folder.root / "launch.json").unlink(missing_ok=True)
    data, number = place.folder.data, 1
    if not data.exists():
        return None
    while (kept := data.with_name(f"data.removed-{number}")).exists():
        number += 1
    return data.rename(kept)
