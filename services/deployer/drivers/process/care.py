"""Care for what runs under a home, whoever ordered it: look after it, look at it, stop and start all, tidy up."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import structlog

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.locks import locked, try_lock
from services.deployer.drivers.process import release, run
from services.deployer.drivers.process.health import ask, session
from services.deployer.drivers.process.host import lock_file
from services.deployer.drivers.process.keeper import memory
from services.deployer.drivers.process.keeper.folder import Folder, read_json
from services.deployer.drivers.process.order_file import OrderFile, forget_old
from services.deployer.drivers.process.place import Place, places

log = structlog.get_logger()

TEND_SECONDS = 5.0
ORDERS_KEPT_SECONDS = 30 * 24 * 3600.0
"""Longer than any operation may take, so that no deployer asks for an order that was forgotten."""


@dataclass(frozen=True, slots=True)
class Status:
    """What runs at one place, asked of the component itself."""

    host: str
    site: str
    app: str
    component: str
    pid: int | None
    port: int | None
    revision: str | None
    version: str | None
    healthy: bool
    detail: str


async def status(home: Path) -> Sequence[Status]:
    """Every component deployed under a home, whether it runs or not, in order of host, site, app and name."""
    async with session() as http:
        return await asyncio.gather(*(_status(http, place) for place in places(home) if release.current(place)))


async def _status(http: aiohttp.ClientSession, place: Place) -> Status:
    launch, life, revision = place.folder.launch(), place.folder.life(), release.current(place)
    spec = release.read(place, revision or "")
    mark = life.mark if life and life.mark and life.mark.alive() else None
    ill = await ask(http, launch.port, mark, spec) if launch and mark and spec else None
    running = mark is not None and spec is not None
    detail = ill.message if ill else ("" if running else "does not run")
    return Status(
        place.host.name, place.site, place.app, place.component,
        mark.pid if mark else None, launch.port if launch else None,
        revision, spec.version if spec else None, running and ill is None, detail,
    )  # fmt: skip


async def stop_all(home: Path) -> int:
    """Stop every process that the driver ever started under a home, and their keepers; returns how many places ran.

    Recognised by recorded pid and birth alone. Raises Failed if one cannot be stopped, after all others were.
    """
    found = list(places(home))
    results = await asyncio.gather(*(_stop(place.folder) for place in found), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(result is True for result in results)


async def _stop(folder: Folder) -> bool:
    async with locked(folder.work_lock):
        launch = folder.launch()
        await run.stop(folder)
        return launch is not None and launch.wanted


async def start_all(home: Path) -> None:
    """Start again what was healthy when `stop_all` stopped it. Raises Failed."""
    await asyncio.gather(*(_start(place.folder) for place in places(home)))


async def _start(folder: Folder) -> None:
    async with locked(folder.work_lock):
        launch = folder.launch()
        if launch and launch.proven and not launch.wanted:
            await run.launch(folder, replace(launch, id=uuid.uuid4().hex, wanted=True))


async def tend(home: Path) -> None:
    """Give each proven component whose keeper died another one, which takes over or restarts it."""
    for place in await asyncio.to_thread(lambda: [one for one in places(home) if _abandoned(one.folder)]):
        lock = try_lock(place.folder.work_lock)
        if lock is None:  # it is being changed at this moment
            continue
        try:
            if _abandoned(place.folder):
                log.warning("replaces a dead keeper", action="keeper_replaced", site=place.site, of=place.component)
                await run.start_keeper(place.folder)
        except (Failed, OSError):
            log.exception("cannot replace a keeper", action="keeper_failed", site=place.site, of=place.component)
        finally:
            os.close(lock)


def _abandoned(folder: Folder) -> bool:
    launch, life, keeper = folder.launch(), folder.life(), folder.keeper()
    to_be_kept = (
        launch is not None
        and launch.wanted
        and launch.proven
        and not (life and (life.gave_up or life.waits_for_secrets))
    )
    return to_be_kept and not (keeper and keeper.alive())


async def prune(order: OrderFile, place: Place, keep: int) -> None:
    """Forget revisions of a component but of the `keep` versions healthy last, releases of no site, and old orders.

    Done behind an order; a newer one may be at work already. What cannot be cleared away is told in the log, and tried
    again behind the next order of the host.
    """
    try:
        await asyncio.to_thread(_prune_revisions, order, place, keep)
        for sha256 in await asyncio.to_thread(_unused, place.host):
            async with locked(lock_file(place.host, sha256)):
                await asyncio.to_thread(_uninstall, place.host, sha256)
        await asyncio.to_thread(_sweep, place.host)
        await asyncio.to_thread(memory.sweep)
        await asyncio.to_thread(forget_old, place.host / "orders", ORDERS_KEPT_SECONDS)
    except OSError:
        log.exception("cannot tidy up a host", action="prune_failed", host=place.host.name)


def _prune_revisions(order: OrderFile, place: Place, keep: int) -> None:
    lock = try_lock(place.folder.work_lock)
    if lock is None:  # the next order has begun; it will tidy up
        return
    try:
        if order.superseded:  # so it has, and what it fetched was never proven
            return
        for path in release.to_go(place, keep):
            release.forget(path)
    finally:
        os.close(lock)


def _unused(host: Path) -> list[str]:
    used = _used(host)
    return [path.name for path in (host / "installed").glob("[0-9a-f]*") if path.name not in used]


def _used(host: Path) -> set[str]:
    return {read_json(path).get("bundle_sha256", "") for path in host.glob("sites/*/*/*/releases/*/spec.json")}


def _uninstall(host: Path, sha256: str) -> None:
    """Under the lock of the bundle. Asked again: a site may have come to need it, and then waits for the lock."""
    if sha256 not in _used(host):
        away = host / "installed" / f".building-{uuid.uuid4().hex}"
        (host / "installed" / sha256).rename(away)
        shutil.rmtree(away, ignore_errors=True)


def _sweep(host: Path) -> None:
    """Remove what was taken away by somebody who was killed over it: no installation looks for it there."""
    for away in (host / "installed").glob(".building-*"):
        shutil.rmtree(away, ignore_errors=True)
