"""Images that were prepared, sent to an engine: once, from where it was cut off, at the pace of its site."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Broken, Done, Item, Order
from services.deployer.drivers.durable.driver import DurableDriver
from shared.components.images import image_of
from tests.support.container_lab import Lab, lab
from tests.support.container_sites import broken, done, driver_of, ends, ids, order, removal
from tests.support.container_victim import carry_out, told
from tests.support.metered_proxy import Link, socket_link
from tests.support.patience import until_so
from tests.support.prepared_images import layered, listed, prepared

pytestmark = [pytest.mark.service, pytest.mark.containers]

VICTIMS = multiprocessing.get_context("forkserver")  # imports what they need once
VICTIMS.set_forkserver_preload(["tests.support.container_victim"])
MIB = 1 << 20
FRAMING = 200_000
"""Far more than all that is said to an engine beside what is in layers."""


@pytest.fixture(scope="module", autouse=True)
def _no_victim_left() -> Iterator[None]:
    yield
    for helper in (forkserver._forkserver, resource_tracker._resource_tracker):
        vars(type(helper))["_stop"](helper)


@dataclass
class Stage:
    """An engine behind a link, which has nothing yet, and what was prepared for it."""

    lab: Lab
    driver: DurableDriver
    dsn: str
    home: Path
    link: Link
    url: str

    async def item(self, name: str, *sizes: int, base: Item | None = None) -> Item:
        """Prepare an image with layers of these sizes."""
        made = await prepared(self.lab, layered(self.lab, name, *sizes, base=base.name if base else None), self.home)
        self.forget()
        return made

    def forget(self) -> None:
        """The engine has no image any more."""
        self.lab.podman("rm", "--all", "--force", "--time=0")
        self.lab.podman("rmi", "--all", "--force")

    def order(self, key: str, item: Item, action: Any = "fetch", **more: Any) -> Order:
        connection = {"url": self.url, **more.pop("connection", {})}
        made = order(self.lab, key, connection=connection, image=item.name, **more)
        return replace(made, action=action, items=(item,))

    async def sent(self, one: Order) -> tuple[Done, int]:
        """Carry out an order; how it ended, and what went over the link."""
        before = self.link.sent
        return await done(self.driver, one), self.link.sent - before

    def names(self) -> list[str]:
        return self.lab.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()


@pytest.fixture
async def stage(
    containers: DurableDriver, container_lab: Lab, deployer_database: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    path = container_lab.root / "link.sock"
    async with socket_link(path, container_lab.socket) as link:
        yield Stage(container_lab, containers, deployer_database, tmp_path, link, f"unix://{path}")


async def has_revision(driver: DurableDriver, one: Order) -> bool:
    """Asked again and again: an engine of a busy machine may not answer within the time that it is waited for."""
    return (await driver.has_revision([one])) == [True]


async def test_a_prepared_image_is_sent_once_and_runs_without_a_registry(stage: Stage) -> None:
    item = await stage.item("once:1", 3 * MIB, 2 * MIB)
    stage.lab.stop_registry()
    try:
        cold, over_link = await stage.sent(stage.order("cold", item))
        assert cold.fetched_bytes == item.bytes
        assert cold.fetched_bytes <= over_link < item.bytes + FRAMING
        warm, over_link = await stage.sent(stage.order("warm", item))
        assert (warm.fetched_bytes, over_link < FRAMING) == (0, True)
        applied, over_link = await stage.sent(stage.order("apply", item, "apply"))
        assert (applied.fetched_bytes, over_link < FRAMING) == (0, True)
    finally:
        stage.lab.start_registry()
    assert list(ids(stage.lab).values()) == ["running"]
    assert [name for name in stage.names() if "belay/part" in name] == []


async def test_an_apply_sends_what_was_not_sent_before(stage: Stage) -> None:
    item = await stage.item("once:1", 3 * MIB, 2 * MIB)
    applied, _ = await stage.sent(stage.order("apply", item, "apply"))
    assert applied.fetched_bytes == item.bytes
    assert list(ids(stage.lab).values()) == ["running"]


async def test_layers_that_the_engine_has_of_another_image_are_not_sent(stage: Stage) -> None:
    first = await stage.item("first:1", 3 * MIB, 2 * MIB)
    second = await stage.item("second:1", MIB + 7, base=first)
    await stage.sent(stage.order("first", first))
    found, over_link = await stage.sent(stage.order("second", second))
    assert MIB < found.fetched_bytes < MIB + 10_000
    assert over_link < MIB + FRAMING


async def test_who_is_killed_has_only_the_layer_at_hand_sent_again(stage: Stage) -> None:
    sizes = [2 * MIB] * 4
    item = await stage.item("killed:1", *sizes)
    fetch = stage.order("killed", item)
    victim = VICTIMS.Process(target=carry_out, args=(stage.dsn, told(fetch), str(stage.home), 6 * MIB))
    stage.link.at, stage.link.then = 6 * MIB, victim.kill
    victim.start()
    await asyncio.to_thread(victim.join)
    assert 6 * MIB <= stage.link.sent < item.bytes
    (found,) = await ends(stage.driver, fetch)
    assert isinstance(found, Done), found
    twice = stage.link.sent - item.bytes
    assert twice < max(sizes) + FRAMING, twice
    assert (await stage.sent(stage.order("warm", item)))[1] < FRAMING


async def test_a_link_that_is_cut_again_and_again_costs_the_layer_at_hand(stage: Stage) -> None:
    item = await stage.item("cut:1", *[2 * MIB] * 4)
    cuts = [3 * MIB, 7 * MIB]

    def cut() -> None:
        stage.link.cut()
        stage.link.at = cuts.pop(0) if cuts else -1

    stage.link.at, stage.link.then = cuts.pop(0), cut
    _, over_link = await stage.sent(stage.order("cut", item))
    assert over_link < item.bytes + 2 * 2 * MIB + FRAMING
    assert cuts == []


async def test_a_site_gets_no_more_than_its_pace(stage: Stage) -> None:
    item = await stage.item("paced:1", 3 * MIB)
    driver = driver_of(stage.dsn, stage.home, site_bytes=MIB)
    begun = time.monotonic()
    found = await done(driver, stage.order("paced", item))
    await driver.close()
    assert time.monotonic() - begun >= (found.fetched_bytes - MIB) / MIB - 0.5


async def test_a_slow_link_is_waited_for(stage: Stage) -> None:
    item = await stage.item("slow:1", 2 * MIB)
    stage.link.bytes_a_second = MIB
    found, _ = await stage.sent(stage.order("slow", item))
    assert found.fetched_bytes > 2 * MIB


async def test_an_image_that_is_named_by_a_list_of_platforms_runs_is_kept_and_goes(stage: Stage) -> None:
    first, second = await stage.item("list:1", MIB), await stage.item("list:2", MIB)
    items = [replace(each, name=listed(stage.lab, each.name)) for each in (first, second)]
    stage.lab.stop_registry()
    try:
        made = [await done(stage.driver, stage.order(f"o{n}", each, "apply")) for n, each in enumerate(items)]
        assert [each.fetched_bytes for each in made] == [each.bytes for each in items]
        back = replace(stage.order("back", items[0], "rollback"), revision=made[0].revision)
        await until_so(lambda: has_revision(stage.driver, back))
        assert (await done(stage.driver, back)).fetched_bytes == 0
        await done(stage.driver, removal(back, "gone"))
        await done(stage.driver, replace(stage.order("discard", items[0], "discard"), items=tuple(items)))
    finally:
        stage.lab.start_registry()
    assert stage.names() == []


async def test_two_sites_of_one_engine_are_sent_an_image_at_the_same_moment(stage: Stage) -> None:
    item = await stage.item("two:1", 2 * MIB, 2 * MIB)
    orders = [stage.order(f"two-{site}", item, site=site) for site in ("s1", "s2")]
    await stage.driver.start(orders)
    found = await ends(stage.driver, *orders)
    assert all(isinstance(each, Done) for each in found), found
    assert (await stage.sent(stage.order("warm", item)))[0].fetched_bytes == 0
    assert [name for name in stage.names() if "belay/part" in name] == []


async def test_an_order_that_is_cancelled_in_the_middle_keeps_what_arrived(stage: Stage) -> None:
    item = await stage.item("cancelled:1", 2 * MIB, 2 * MIB)
    stage.link.bytes_a_second = 2 * MIB
    fetch, arrived = stage.order("cancelled", item), asyncio.Event()
    stage.link.at, stage.link.then = 5 * MIB, arrived.set
    await stage.driver.start([fetch])
    await asyncio.wait_for(arrived.wait(), 60)
    await stage.driver.cancel([fetch])
    (found,) = await ends(stage.driver, fetch)
    assert isinstance(found, Broken)
    assert found.code == "cancelled"
    stage.link.bytes_a_second = 0
    rest, _ = await stage.sent(stage.order("rest", item))
    assert rest.fetched_bytes < 3 * MIB


async def test_an_image_without_room_on_the_engine_is_refused_with_the_reason(stage: Stage) -> None:
    large = await stage.item("large:1", 60 * MIB)
    folded = await prepared(stage.lab, layered(stage.lab, "folded:1", 60 * MIB, folded=True), stage.home)
    assert folded.bytes < 10 * MIB
    with lab(store_mib=48, registry=stage.lab.registry) as cramped:
        for item in (large, folded):
            failed = await broken(stage.driver, stage.order(item.name, item, connection={"url": cramped.url}))
            assert failed.code == "disk_full", failed


async def test_a_layer_that_is_damaged_on_its_way_is_refused_and_sent_once_more(stage: Stage) -> None:
    item = await stage.item("damaged:1", 3 * MIB)
    stage.link.damage_at = 3 * MIB
    _, sent = await stage.sent(stage.order("damaged", item))
    assert sent > 5 * MIB, "the layer came twice"


async def test_a_link_that_damages_whatever_it_carries_ends_the_order_and_the_next_one_goes_on(stage: Stage) -> None:
    item = await stage.item("damaged:2", 3 * MIB)
    stage.link.damages = True
    failed = await broken(stage.driver, stage.order("damaged", item))
    assert failed.code == "content_damaged", failed
    assert image_of(item.name).by_digest in failed.message
    stage.link.damages = False
    await stage.sent(stage.order("anew", item))


async def test_discarded_images_go_unless_a_container_needs_them(stage: Stage) -> None:
    runs = await stage.item("runs:1", MIB)
    spare = await stage.item("spare:1", MIB)
    await stage.sent(stage.order("runs", runs, "apply"))
    await stage.sent(stage.order("spare", spare))
    assert len(stage.names()) == 2
    await stage.sent(replace(stage.order("discard", spare, "discard"), items=(spare, runs)))
    assert [name.partition("@")[0] for name in stage.names()] == [name for name in stage.names() if "runs" in name]
    assert list(ids(stage.lab).values()) == ["running"]
    again, _ = await stage.sent(stage.order("again", spare))
    assert again.fetched_bytes > MIB


async def test_images_that_a_rollback_needs_are_not_discarded(stage: Stage) -> None:
    first, second = await stage.item("back:1", MIB), await stage.item("back:2", MIB)
    made = await done(stage.driver, stage.order("first", first, "apply"))
    await done(stage.driver, stage.order("second", second, "apply"))
    await done(stage.driver, stage.order("discard", first, "discard"))
    back = replace(stage.order("back", first, "rollback"), revision=made.revision)
    await until_so(lambda: has_revision(stage.driver, back))
    assert (await done(stage.driver, back)).fetched_bytes == 0
    await done(stage.driver, removal(back, "gone"))
    await done(stage.driver, replace(stage.order("discard 2", first, "discard"), items=(first, second)))
    assert stage.names() == []
