"""The verbs of the driver. State lies on the site; whoever finds an order unfinished takes it up."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from belay_driver_copy.copying import make_alike
from belay_driver_copy.place import CANCELLED, OrderFile, Place, Refused
from belay_driver_copy.spec import CopySpec
from services.deployer.drivers import Broken, Done, Driver, Order, Progress, Running
from shared import bundle
from shared.blobs import Blobs, UnknownBlob
from shared.core.wakeup import Wakeup
from shared.process.settings import Settings

Unpack = Callable[[str, Path], Awaitable[None]]
"""Unpack the bundle of that sha256 into a folder that is not there yet; raises Refused."""

LOOK_SECONDS = 0.1


class CopyDriver(Driver):
    """Copies folders of bundles into folders of sites; a rollback copies an earlier revision again."""

    def __init__(self, unpack: Unpack) -> None:
        self._unpack = unpack
        self._moved = Wakeup()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The driver of a service: bundles from its blob store."""
        return cls(from_store(Blobs.open(settings)))

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin each order that was not begun before."""
        for order in orders:
            if place := _place(order):
                OrderFile(place, order.key).begin()
        await self.poll(orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands. What is unfinished and worked on by nobody here is taken up."""
        return [self._stands(order) for order in orders]

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop each order before it touches the site; one never begun will never begin."""
        for order in orders:
            if place := _place(order):
                OrderFile(place, order.key).cancel()
        await self.poll(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        """Whether the revision that each order names lies on its site."""
        return [bool((place := _place(order)) and place.has(order.revision)) for order in orders]

    async def wait(self, seconds: float) -> None:
        """Until an order of this driver has ended, at the latest after `seconds`."""
        await self._moved.wait(seconds)

    def _stands(self, order: Order) -> Progress:
        try:
            ended = OrderFile(Place.of(order), order.key).read()
        except Refused as refused:
            return refused.broken
        except KeyError:
            return Broken("not_started", f"the order {order.key} was never started on this site")
        if ended is None and order.key not in self._tasks:
            self._tasks[order.key] = task = asyncio.create_task(self._carry_out(order))
            task.add_done_callback(lambda _: self._put_down(order.key))
        return ended or Running("copies")

    def _put_down(self, key: str) -> None:
        del self._tasks[key]
        self._moved.ring()

    async def _carry_out(self, order: Order) -> None:
        place = Place.of(order)
        file = OrderFile(place, order.key)
        async with _locked(place.root / ".belay-copy/lock"):
            if file.read() is None:  # else another deployer has done it while we waited
                file.end(await self._result(order, place, file))

    async def _result(self, order: Order, place: Place, file: OrderFile) -> Done | Broken:
        try:
            if order.action == "remove":
                await asyncio.to_thread(_take_away, place)
                return Done("", f"removed {place.target}")
            revision = await self._revision(order, place, file)
            if file.cancelled:
                return CANCELLED
            count = await asyncio.to_thread(make_alike, place.revisions / revision, place.target)
            _prune(place, revision, order.component.spec.keep)
            return Done(revision, "") if not count else Done(revision, f"{count} files changed")
        except Refused as refused:
            return refused.broken
        except OSError as error:
            return Broken("site_error", f"the folder of the site failed: {error}", (str(error),))

    async def _revision(self, order: Order, place: Place, file: OrderFile) -> str:
        """The revision to reach, as it lies on the site: the recorded one, or else from the bundle. Raises Refused."""
        if order.action == "rollback":
            if not place.has(order.revision):
                raise Refused("revision_missing", f"revision {order.revision} is not on site {order.site} any more")
            return str(order.revision)
        name = f"{order.version}-{str(order.bundle_sha256)[:12]}"
        if not place.has(name):
            await _unless_cancelled(self._fetch(order, place, name), file)
        return name

    async def _fetch(self, order: Order, place: Place, name: str) -> None:
        spec: CopySpec = order.component.spec
        place.revisions.mkdir(parents=True, exist_ok=True)
        for left in place.home.glob(".unpacking-*"):  # of a deployer that was killed; nobody else works here now
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=place.home, prefix=".unpacking-") as folder:
            whole = Path(folder) / "bundle"
            await self._unpack(str(order.bundle_sha256), whole)
            if not (whole / spec.source).is_dir():
                raise Refused("source_missing", f"the bundle has no folder {spec.source}")
            (whole / spec.source).rename(place.revisions / name)


def from_store(blobs: Blobs) -> Unpack:
    """How the driver gets at bundles."""

    async def unpack(sha256: str, target: Path) -> None:
        try:
            async with blobs.as_file(sha256) as file:
                await asyncio.to_thread(bundle.unpack, file, target)
        except (UnknownBlob, bundle.BundleRefused) as error:
            raise Refused("bundle_missing", f"the bundle {sha256} cannot be unpacked: {error}") from error

    return unpack


def _place(order: Order) -> Place | None:
    try:
        return Place.of(order)
    except Refused:
        return None


async def _unless_cancelled(work: Awaitable[None], file: OrderFile) -> None:
    """Any deployer may cancel by a file, which no event tells of. Raises Refused."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if file.cancelled:
                raise Refused(CANCELLED.code, CANCELLED.message)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """One order at a time on a site, among all deployers; the lock dies with its holder."""
    with path.open("w") as lock:
        while not _taken(lock.fileno()):  # noqa: ASYNC110 - held by other processes, too, which no event reaches
            await asyncio.sleep(LOOK_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_away(place: Place) -> None:
    shutil.rmtree(place.target, ignore_errors=True)
    shutil.rmtree(place.home, ignore_errors=True)


def _prune(place: Place, current: str, keep: int) -> None:
    (place.revisions / current).touch()
    newest = sorted(place.revisions.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest[keep:]:
        shutil.rmtree(path)
