"""The content of a component on its way to the hosts of a site: what is missing, from where it was cut off."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from services.deployer.drivers import Done, Order
from services.deployer.drivers.ansible.connection import Host
from services.deployer.drivers.ansible.content import HostContent, LocalContent, SftpContent, place_of
from services.deployer.drivers.ansible.files import Files
from services.deployer.drivers.ansible.login import Cut, cut_told, logged_in
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.content import Damaged, Pace, send
from services.deployer.drivers.durable.run import Run, unless_cancelled
from services.deployer.drivers.failed import Failed

T = TypeVar("T")

HOME_FOLDER = ".belay/content"
"""Where content lies when the connection does not say: in the home of who logs in."""
AGAIN_SECONDS = 1.0
SENT = "sent"
"""In what is written down of an order: the bytes that were sent for it, but for the last seconds of who was killed."""
KEEP_SECONDS = 3.0

Paths = Mapping[str, Mapping[str, str]]
"""By host, where each file of the content lies there, by its name in the bundle."""


@dataclass(slots=True)
class Delivery:
    """Brings content to hosts, many at once and each at its pace."""

    settings: AnsibleSettings
    pace: Pace
    here: Path
    """Where the content of hosts lies that are this machine."""
    _limit: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._limit = asyncio.Semaphore(self.settings.send_at_once)

    async def bring(self, run: Run, hosts: Mapping[str, Host], files: Files) -> Paths:
        """Have the files on each host of a site; where they lie. Raises Failed, also when the order is cancelled."""
        if not files.items:
            return {}
        progress = Progress(run, files.size * len(hosts))
        transfers = [Transfer(self, name, host, files, progress) for name, host in hosts.items()]
        keeping = asyncio.create_task(progress.keep_for_ever())
        try:
            paths = await unless_cancelled(run, _all_of([transfer.through() for transfer in transfers]))
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await progress.keep()
        return dict(zip(hosts, paths, strict=True))

    async def discard(self, run: Run, hosts: Mapping[str, Host]) -> Done:
        """Let the order's items go from each host. Raises Failed."""
        work = [self._let_go(name, host, run.order) for name, host in hosts.items()]
        gone = sum(await unless_cancelled(run, _all_of(work)))
        return Done("", f"{gone} files let go on {len(hosts)} host{'s' if len(hosts) > 1 else ''}")

    async def _let_go(self, name: str, host: Host, order: Order) -> int:
        try:
            async with self.opened(name, host, order) as content:
                return await content.discard(order.items)
        except Cut as cut:
            raise Failed("unreachable", f"host {name} was cut off: {cut}") from None

    @asynccontextmanager
    async def opened(self, name: str, host: Host, order: Order) -> AsyncIterator[HostContent]:
        """The content of the order's app on a host. Raises Failed, and Cut when the host was cut off in the middle."""
        place = place_of(order.site, order.app)
        async with self._limit:
            if host.local:
                with _this_machine():
                    yield LocalContent(Path(host.content_folder or self.here) / place)
                return
            async with logged_in(name, host, self.settings.connect_seconds) as session:
                with cut_told(name):
                    async with session.start_sftp_client() as sftp:
                        folder = host.content_folder or f"{await sftp.realpath('.')}/{HOME_FOLDER}"
                        yield SftpContent(session, sftp, f"{folder}/{place}")


@dataclass(slots=True)
class Transfer:
    """Files on their way to one host."""

    delivery: Delivery
    name: str
    host: Host
    files: Files
    progress: Progress
    _heard: float | None = None
    """When the host was heard of last; None = not yet: one that does not answer at all is not waited for."""

    async def through(self) -> Mapping[str, str]:
        """Where the files lie, once they do. Over a link that was cut it goes on when the host is there again."""
        while True:
            try:
                return await self._attempt()
            except Cut as cut:
                self._give_up_late(f"host {self.name} was cut off: {cut}")
            except Failed as failed:
                if failed.broken.code != "unreachable" or self._heard is None:
                    raise
                self._give_up_late(failed.broken.message)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _attempt(self) -> Mapping[str, str]:
        order, delivery = self.progress.run.order, self.delivery
        async with delivery.opened(self.name, self.host, order) as content:
            self._heard = time.monotonic()
            try:
                await send(self.files.items, content, self.files, delivery.pace.at(order.site), self._arrived)
            except Damaged as error:
                raise Failed("content_damaged", f"host {self.name}: {error}") from None
            return await content.name(self.files.items)

    def _arrived(self, count: int) -> None:
        self._heard = time.monotonic()
        self.progress.add(count)

    def _give_up_late(self, why: str) -> None:
        away = time.monotonic() - (self._heard or 0)
        if away >= self.delivery.settings.unreachable_seconds:
            raise Failed("unreachable", f"{why}; it has not answered for {away:.0f} s")


@dataclass(slots=True)
class Progress:
    """How much of the content of an order has arrived, on all of its hosts."""

    run: Run
    bytes: int
    """All of it; some may lie there from before."""
    sent: int = 0
    before: int = field(init=False)
    """What was sent by earlier tries."""

    def __post_init__(self) -> None:
        self.before = sent_for(self.run)

    def add(self, count: int) -> None:
        """So much more."""
        self.sent += count
        told = f"sends content, {self.sent / 1e6:.0f} of at most {self.bytes / 1e6:.0f} MB"
        self.run.report(told, min(99, 100 * self.sent // self.bytes))

    async def keep(self) -> None:
        """How much was sent, for whoever goes on with the order."""
        if self.before + self.sent > sent_for(self.run):
            await self.run.write_down(**{SENT: self.before + self.sent})

    async def keep_for_ever(self) -> None:
        """Now and then, until cancelled."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self.keep()


def sent_for(run: Run) -> int:
    """Bytes of content that were sent for an order."""
    return int(run.note.get(SENT, 0))


@contextmanager
def _this_machine() -> Iterator[None]:
    """What goes wrong with folders here."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Failed("disk_full" if full else "host_error", f"content on the deployer's machine: {error}") from None


async def _all_of(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What each gives; one that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
    return [task.result() for task in tasks]
