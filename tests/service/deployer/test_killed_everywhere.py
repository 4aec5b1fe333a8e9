"""Operations of every kind on real processes whose deployer is killed at each point that it comes to end as others do.

Two sites go the same way, one with a deployer that lives and one with deployers that die; then all is compared: what
runs, what lies on the hosts, what is kept, and what was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers.process import care
from services.deployer.drivers.process.keeper.folder import read_json
from services.deployer.drivers.process.order_file import OrderFile
from services.deployer.drivers.process.place import Place
from shared.messages.base import CommandAccepted
from shared.messages.catalog import ContentItem, ReleasePrepared
from shared.messages.deployer import OperationFailed, OperationSucceeded, SetOverrides
from shared.messages.strategy import Site, SitesChanged
from tests.service.deployer.fleet import APP, Fleet, deployer
from tests.support import deadly_deployer, process_sites
from tests.support.components import as_published, simulated
from tests.support.patience import patience
from tests.support.process_sites import Bundles
from tests.support.process_victim import source_beside
from tests.support.victims import dies
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

KEPT = 3
"""Revisions that stay on a host."""

CALM, STORM = "calm", "storm"
VOLATILE = frozenset({"log", "lock", "pid", "starts"})
"""Of what lies on a host: names with these in them say when, or who."""


@dataclass(frozen=True)
class Kind:
    """An operation on both sites."""

    name: str
    kind: str
    version: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    fails: bool = False


KINDS = (
    Kind("apply", "apply", "1.0"),
    Kind("prestage", "prestage", "2.0"),
    Kind("update", "update", "2.0"),
    Kind("reapply", "apply", None, {"only_changes": True}),
    Kind("an update that fails and recovers", "update", "3.0", fails=True),
    Kind("rollback", "rollback"),
    Kind("remove", "remove"),
)


@dataclass
class Course:
    """The two sites, and what each operation left of them."""

    fleet: Fleet
    home: Path
    bundles: Bundles
    dying: ForkServerContext
    ports: dict[str, int]
    deaths: dict[str, list[str]] = field(default_factory=dict)

    async def go(self, kind: Kind) -> None:
        """On the calm site with a deployer that lives, then on the other one with those that die."""
        async with self._alive():
            await self._ended(kind, await self._ask(kind, CALM))
        operation = await self._ask(kind, STORM)
        folder = self.home / "deaths" / kind.name
        folder.mkdir(parents=True)
        settings = self.fleet.world.settings("deployer", "storm", lease_seconds=2, http_port=0).model_dump_json()
        words = (settings, str(self.home), str(self.bundles.root), str(folder))
        while not (folder / deadly_deployer.LAST).exists():
            await asyncio.to_thread(dies, self.dying, deadly_deployer.main, *words, seconds=600)
        self.deaths[kind.name] = sorted(mark.name for mark in folder.iterdir())
        await self._ended(kind, operation)

    @asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        driver = deadly_deployer.process_driver(self.home, self.bundles.root)
        wire = deployer(also={"process": driver}, **deadly_deployer.LIMITS)
        async with self.fleet.world.run("deployer", deadly_deployer.only_runs(wire), instance="calm"):
            yield

    async def _ask(self, kind: Kind, site: str) -> str:
        return await self.fleet.request(site, kind.kind, kind.version, **kind.facts)

    async def _ended(self, kind: Kind, operation: str) -> None:
        end = await self.fleet.end(operation)
        assert isinstance(end, OperationFailed if kind.fails else OperationSucceeded), (kind.name, end)

    async def standing(self, site: str) -> dict[str, Any]:
        """All that can be seen of a site; of its host once that is tidied up, as it is behind each order that ends, and
        behind the next one where somebody died before that."""
        await care.prune(*self._last_order(site), KEPT)
        pool, port = self.fleet.service.pool, self.ports[site]
        row = await pool.fetchrow(DEPLOYMENT, site)
        components = [one for one in process_sites.components(self.home) if f"port={port}" in one.cmdline()]
        return {
            "deployment": _timeless(dict(row)) if row else None,
            "revisions": [tuple(each) for each in await pool.fetch(REVISIONS, site)],
            "told": [_told(end) for end in self._ends(site)],
            "devices": self.fleet.running(site),
            "runs": await process_sites.ask(port) if components else None,
            "level": (await process_sites.ask(port, "/environment")).get("LEVEL") if components else None,
            "processes": len(components),
            "files": sorted(_lying(self.home / "hosts" / site, site)),
            "starts": list(_starts(self.home / "hosts" / site)),
            "orders": len(list((self.home / "hosts" / site / "orders").glob("*.json"))),
        }

    def _last_order(self, site: str) -> tuple[OrderFile, Place]:
        place = Place(self.home / "hosts" / site, site, APP, "web")
        key = read_json(place.folder.root / "newest.json")["key"]
        return OrderFile(place, process_sites.order(key, "1.0", "a" * 64, self.ports[site])), place

    def _ends(self, site: str) -> list[Any]:
        events = {
            e.id: e.data for e in self.fleet.world.seen if isinstance(e.data, OperationSucceeded | OperationFailed)
        }
        return [event for event in events.values() if event.site == site]


DEPLOYMENT = """
    select version, status, history, leftovers, overrides, nth, prestaged
    from deployment where site = $1
"""
REVISIONS = "select component, version, driver, digest from component_revision where site = $1 order by 1, 2"


def _told(end: Any) -> tuple[Any, ...]:
    """An end without who, when and how long."""
    plan = [(way.component, way.action) for way in end.plan]
    phases = [(phase.name, phase.outcome) for phase in end.phases]
    return type(end).__name__, end.kind, end.from_version, end.version, end.status, end.nth, plan, phases


def _differences(calm: dict[str, Any], storm: dict[str, Any]) -> dict[str, Any]:
    """By what was looked at, how it stands on each site; of files those that lie on one of them alone."""
    found: dict[str, Any] = {key: (calm[key], storm[key]) for key in calm if calm[key] != storm[key]}
    if files := found.get("files"):
        found["files"] = tuple(sorted(set(one) - set(other)) for one, other in (files, files[::-1]))
    return found


def _timeless(value: Any) -> Any:
    """Without when it was prestaged."""
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key != "at"}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def _lying(host: Path, site: str) -> Iterator[str]:
    """What lies on a host: what is installed by its names, of the site and its content every file."""
    for pattern in ("installed/*/*", "content/**/*", "sites/**/*"):
        for path in host.glob(pattern):
            name = str(path.relative_to(host)).replace(site, "SITE")
            if not any(word in name for word in VOLATILE):
                yield f"{name} -> {path.readlink()}" if path.is_symlink() else name


def _starts(host: Path) -> Iterator[str]:
    """The versions that were started, in order; what is begun anew after a death may start once more."""
    last = ""
    for file in host.glob("sites/*/*/*/data*/starts"):
        for line in file.read_text().splitlines():
            if (version := line.split(" ")[1]) != last:
                yield (last := version)


@asynccontextmanager
async def course(world: World, home: Path, bundles: Bundles, dying: ForkServerContext) -> AsyncIterator[Course]:
    """Releases of a real process and a pretended lamp, which 2.0 replaces by a disc; 3.0 answers as another version."""
    fleet, ports = Fleet(world), {site: process_sites.free_port() for site in (CALM, STORM)}
    sites = [
        Site(name=site, connections={"process": {"host": site, "port": port}, "simulated": {}})
        for site, port in ports.items()
    ]
    await fleet.tell(SitesChanged(sites=tuple(sites)))
    async with world.run("deployer", deployer(runs=None), instance="takes commands") as service:
        fleet.service = service
        for version, beside in (("1.0", "lamp"), ("2.0", "disc"), ("3.0", "disc")):
            says, seconds = ("2.0", 3) if version == "3.0" else (version, 60)
            web = as_published(process_sites.component(f"says={says}", health={"start_seconds": seconds}))
            await fleet.release(version, web, simulated(beside, "web"), bundle_sha256=bundles.make(version))
        await fleet.known(service)
        yield Course(fleet, home, bundles, dying, ports)


async def prepare(course: Course, version: str) -> None:
    """As the catalog tells of what a release brings."""
    digest = course.bundles.make(version)
    items = await process_sites.content_of(course.bundles.root / digest, source_beside(course.home).blobs)
    content = tuple(
        ContentItem(component=i.component, kind=i.kind, name=i.name, sha256=i.sha256, bytes=i.bytes) for i in items
    )
    total = sum({item.sha256: item.bytes for item in items}.values())
    facts = {"app": APP, "version": version, "bundle_sha256": digest, "content": content, "bytes": total}
    await course.fleet.world.send(ReleasePrepared.model_validate({**facts, "prepared_at": datetime.now(UTC)}))
    async with patience(60):
        while not await course.fleet.service.pool.fetchval("select count(*) from preparation"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_whatever_kills_a_deployer_at_every_point_of_every_kind_the_end_is_the_same(
    world: World, home: Path, bundles: Bundles, deployers: ForkServerContext
) -> None:
    async with course(world, home, bundles, deployers) as both:
        await prepare(both, "2.0")
        for kind in KINDS:
            if kind.name == "reapply":
                values = {"LEVEL": "debug"}
                change = SetOverrides(app=APP, level="fleet", component="web", values=values)
                assert isinstance(await world.ask(change), CommandAccepted)
            await both.go(kind)
            calm, storm = [await both.standing(site) for site in (CALM, STORM)]
            assert not (found := _differences(calm, storm)), f"{kind.name}, died at {both.deaths[kind.name]}: {found}"
        died = {name: len(points) for name, points in both.deaths.items()}
        assert all(count >= 6 for count in died.values()), died
        both.fleet.assert_each_order_once()
