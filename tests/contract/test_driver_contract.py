"""What every driver promises the deployer (services/deployer/drivers), asked of each one alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from obstore.store import LocalStore

from services.deployer.drivers import Broken, Done, Driver, Item, Order, Progress, Reachable, Reached, Reaching, Running
from services.deployer.drivers.content import Pace, Source
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.blobs import Blobs
from tests.support import process_sites
from tests.support.ansible_sites import AnsibleSshWorkshop, AnsibleWorkshop
from tests.support.components import for_driver, simulated
from tests.support.container_sites import ContainerWorkshop
from tests.support.kubernetes.sites import HelmWorkshop
from tests.support.workshop import Workshop, foreign_workshops


class SimulatedWorkshop(Workshop):
    def driver(self) -> Driver:
        return SimulatedDriver(self.folder / "devices")

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        component = for_driver(simulated("bulb", seconds=(0.05, 0.05)))
        return Order(key, site, {}, "lamp", "apply", component, version, "a" * 64)

    def failing(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), connection={"simulated": "fail"})

    def endless(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), connection={"simulated": "hang"})

    def answers(self, site: str) -> str:
        return SimulatedDriver(self.folder / "devices").journal.running(site)["bulb"]

    async def content(self) -> tuple[Item, ...]:
        return (Item("bulb", "package", "wheels", "1" * 64, 5 << 20), Item("bulb", "image", "lamp", "2" * 64, 7))


class ProcessWorkshop(Workshop):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bundles = process_sites.Bundles.at(folder / "bundles")
        self.bundle = self.bundles.make("one")
        self.ports: dict[str, int] = {}
        self.blobs = Blobs(LocalStore(folder / "blobs", mkdir=True), folder / "blobs")

    def driver(self) -> Driver:
        return ProcessDriver(self.folder / "home", self.bundles.unpack, source=Source(self.blobs, Pace()))

    def answers(self, site: str) -> str:
        told = httpx.get(f"http://127.0.0.1:{self.ports[site]}/version.json", trust_env=False)
        return str(told.json()["app"]["version"])

    async def content(self) -> tuple[Item, ...]:
        return await process_sites.content_of(self.bundles.root / self.bundle, self.blobs)

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        port = self.ports.setdefault(site, process_sites.free_port())
        return process_sites.order(key, version, self.bundle, port, site=site)

    def failing(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), component=process_sites.component("exit=1"))

    def endless(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), component=process_sites.component("says=1.0", "slow=600"))


WORKSHOPS = [
    SimulatedWorkshop,
    ProcessWorkshop,
    pytest.param(AnsibleWorkshop, marks=pytest.mark.ansible),
    pytest.param(AnsibleSshWorkshop, marks=pytest.mark.ssh),
    pytest.param(ContainerWorkshop, marks=pytest.mark.containers),
    pytest.param(HelmWorkshop, marks=pytest.mark.kubernetes),
    *foreign_workshops(),
]


BRING_NOTHING = {"SimulatedWorkshop": "it pretends", "CopyWorkshop": "its files lie on this machine"}
WITHOUT_CONTENT = {"CopyWorkshop": "it is to be a small example", "HelmWorkshop": "another cluster may need a chart"}
"""Drivers that are let off some rules, each with why: any other that does not declare it fails."""


def must_be_known(workshop: Workshop, let_off: Mapping[str, str]) -> None:
    name = type(workshop).__name__
    assert name in let_off, f"{name}: its driver has to declare what it is to be held to"


@pytest.fixture(params=WORKSHOPS, ids=lambda workshop: workshop.__name__)
def equipped(request: pytest.FixtureRequest, tmp_path: Path) -> Workshop:
    made: Workshop = request.param(tmp_path)
    made.given |= {name: request.getfixturevalue(name) for name in made.asks}
    return made


@pytest.fixture
async def workshop(equipped: Workshop) -> AsyncIterator[Workshop]:
    yield equipped
    await equipped.close()


@pytest.fixture
async def driver(workshop: Workshop) -> Driver:
    return workshop.driver()


async def ends(driver: Driver, *orders: Order) -> Sequence[Progress]:
    async with asyncio.timeout(60):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return found
            await driver.wait(1)


async def reach(driver: Driver, *orders: Order) -> Sequence[Progress]:
    await driver.start(orders)
    return await ends(driver, *orders)


def code(progress: Progress) -> str:
    assert isinstance(progress, Broken), progress
    return progress.code


async def test_an_order_that_was_never_begun_says_so(driver: Driver, workshop: Workshop) -> None:
    assert [code(one) for one in await driver.poll([workshop.good("o1")])] == ["not_started"]


async def test_answers_come_in_the_sequence_of_the_orders_and_a_bad_one_spoils_no_other(
    driver: Driver, workshop: Workshop
) -> None:
    good, bad, other = workshop.good("o1"), workshop.failing("o2", site="s2"), workshop.good("o3", site="s3")
    found = await reach(driver, good, bad, other)
    assert [type(one) for one in found] == [Done, Broken, Done], found
    assert [type(one) for one in await ends(driver, bad, good)] == [Broken, Done]


async def test_sites_that_can_be_asked_say_whether_they_answer_and_no_connection_breaks_that(
    driver: Driver, workshop: Workshop
) -> None:
    if not isinstance(driver, Reaching):
        return
    await reach(driver, workshop.good("o1"))
    right, wrong = workshop.good("o2").connection, {"host": ["no", "host"], "port": "none"}
    odd: list[Mapping[str, Any]] = [{}, wrong, {"online": {"no": "word"}}]
    sites = [Reachable(f"s{n}", connection) for n, connection in enumerate([right, *odd, right], 1)]
    found = await driver.reach(sites)
    assert [type(one) for one in (found[0], found[-1])] == [Reached, Reached], found
    assert len(found) == len(sites)
    assert all(isinstance(one, Reached) or (one.code and one.message) for one in found)


async def test_start_returns_at_once_and_the_order_runs_until_it_ends(driver: Driver, workshop: Workshop) -> None:
    endless = workshop.endless("o1")
    await driver.start([endless])
    assert isinstance((await driver.poll([endless]))[0], Running)
    await driver.cancel([endless])  # or its site stays locked until the order's time is up
    await ends(driver, endless)


async def test_a_second_start_changes_neither_result_nor_revision(driver: Driver, workshop: Workshop) -> None:
    one = workshop.good("o1")
    assert await reach(driver, one) == await reach(driver, one)
    failed = workshop.failing("o2")
    assert await reach(driver, failed) == await reach(driver, failed)


async def test_a_failure_has_a_code_and_a_sentence(driver: Driver, workshop: Workshop) -> None:
    [broken] = await reach(driver, workshop.failing("o1"))
    assert isinstance(broken, Broken)
    assert broken.code
    assert broken.message
    assert broken.last_lines


async def test_another_driver_on_the_same_sites_knows_what_became_of_an_order(
    driver: Driver, workshop: Workshop
) -> None:
    good, bad = workshop.good("o1"), workshop.failing("o2", site="s2")
    assert await reach(driver, good, bad) == await ends(workshop.driver(), good, bad)


async def test_a_recorded_revision_can_be_returned_to_and_another_cannot(driver: Driver, workshop: Workshop) -> None:
    first = workshop.good("o1")
    [done] = await reach(driver, first)
    assert isinstance(done, Done)
    await reach(driver, workshop.good("o2", "2.0"))
    back = replace(first, key="o3", action="rollback", revision=done.revision)
    assert await driver.has_revision([back, replace(back, revision="never-was")]) == [True, False]
    [returned] = await reach(driver, back)
    assert isinstance(returned, Done)  # its revision may be another: Helm gives every change a number of its own
    assert await driver.has_revision([replace(back, revision=returned.revision)]) == [True]


async def test_what_is_done_answers_as_its_release_at_that_very_moment_after_a_rollback_too(
    driver: Driver, workshop: Workshop
) -> None:
    first = workshop.good("o1")
    [done] = await reach(driver, first)
    assert isinstance(done, Done)
    assert workshop.answers("s1") == "1.0"
    assert isinstance((await reach(driver, workshop.good("o2", "2.0")))[0], Done)
    assert workshop.answers("s1") == "2.0"
    back = replace(first, key="o3", action="rollback", revision=done.revision)
    assert isinstance((await reach(driver, back))[0], Done)
    assert workshop.answers("s1") == "1.0"


async def test_a_removed_component_has_no_revisions_and_can_be_deployed_again(
    driver: Driver, workshop: Workshop
) -> None:
    first = workshop.good("o1")
    [done] = await reach(driver, first)
    assert isinstance(done, Done)
    gone = replace(first, key="o2", action="remove", version=None)
    assert isinstance((await reach(driver, gone))[0], Done)
    assert await driver.has_revision([replace(first, revision=done.revision)]) == [False]
    assert isinstance((await reach(driver, workshop.good("o3")))[0], Done)


async def test_a_running_order_can_be_cancelled_by_another_driver(driver: Driver, workshop: Workshop) -> None:
    endless = workshop.endless("o1")
    await driver.start([endless])
    await workshop.driver().cancel([endless])
    assert code((await ends(driver, endless))[0]) == "cancelled"


async def test_an_order_that_is_done_stays_done_when_it_is_cancelled(driver: Driver, workshop: Workshop) -> None:
    one = workshop.good("o1")
    done = await reach(driver, one)
    await driver.cancel([one])
    assert await ends(driver, one) == done


async def test_an_order_cancelled_before_it_began_never_begins(driver: Driver, workshop: Workshop) -> None:
    one = workshop.good("o1")
    await driver.cancel([one])
    assert code((await reach(workshop.driver(), one))[0]) == "cancelled"


async def test_a_cancelled_order_leaves_the_way_free_for_the_next(driver: Driver, workshop: Workshop) -> None:
    endless = workshop.endless("o1")
    await driver.start([endless])
    await driver.cancel([endless])
    assert isinstance((await reach(driver, workshop.good("o2")))[0], Done)


async def test_what_is_fetched_for_a_deployment_leaves_what_runs_and_is_all_that_it_needs(
    driver: Driver, workshop: Workshop
) -> None:
    if not driver.brings:
        must_be_known(workshop, BRING_NOTHING)
        pytest.skip("it brings nothing from elsewhere")
    first, second = workshop.good("o1"), workshop.good("o2", "2.0")
    [before] = await reach(driver, first)
    assert isinstance(before, Done)
    [ready] = await reach(driver, replace(second, key="f2", action="fetch", deploys=True))
    assert (isinstance(ready, Done), workshop.answers("s1")) == (True, "1.0")
    back = replace(first, key="o3", action="rollback", revision=before.revision)
    assert await driver.has_revision([back]) == [True]
    assert [sent(one) for one in await reach(driver, second)] == [0]
    assert workshop.answers("s1") == "2.0"
    assert [sent(one) for one in await reach(driver, replace(back, key="f3", action="fetch", deploys=True))] == [0]
    assert (isinstance((await reach(driver, back))[0], Done), workshop.answers("s1")) == (True, "1.0")


# -- content, of the drivers that can be sent some ----------------------------------------------------------------


@pytest.fixture
async def content(driver: Driver, workshop: Workshop) -> tuple[Item, ...]:
    if lacking := {"fetch", "discard"} - driver.capabilities:
        must_be_known(workshop, WITHOUT_CONTENT)
        pytest.skip(f"it declares no {' and no '.join(sorted(lacking))}")
    items = await workshop.content()
    assert items, "a driver that declares fetch and discard is held to what it promises of them"
    return items


def fetch(workshop: Workshop, key: str, items: tuple[Item, ...]) -> Order:
    return replace(workshop.good(key), action="fetch", items=items)


def sent(progress: Progress) -> int:
    assert isinstance(progress, Done), progress
    return progress.fetched_bytes


async def test_content_is_sent_once_whoever_orders_it_again(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    first = fetch(workshop, "o1", content)
    [done] = await reach(driver, first)
    assert sent(done) >= sum(item.bytes for item in content) > 0
    assert await reach(driver, first) == [done]
    assert [sent(one) for one in await reach(workshop.driver(), fetch(workshop, "o2", content))] == [0]


async def test_a_component_is_deployed_from_what_was_fetched_and_nothing_is_sent(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    await reach(driver, fetch(workshop, "o1", content))
    [done] = await reach(driver, replace(workshop.good("o2"), items=content))
    assert sent(done) == 0


async def test_without_what_was_fetched_it_is_sent_with_the_change(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    assert content
    [done] = await reach(driver, workshop.good("o1"))
    assert isinstance(done, Done)


async def test_a_fetch_leaves_what_runs_and_a_discard_never_takes_it(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    applied = workshop.good("o1")
    [before] = await reach(driver, applied)
    await reach(driver, fetch(workshop, "o2", content))
    [gone] = await reach(driver, replace(applied, key="o3", action="discard", items=content))
    assert isinstance(gone, Done), gone
    assert isinstance(before, Done)
    back = replace(applied, key="o4", action="rollback", revision=before.revision)
    assert await driver.has_revision([back]) == [True]
    assert isinstance((await ends(driver, applied))[0], Done)


async def test_what_was_discarded_is_sent_again_and_a_second_discard_changes_nothing(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    await reach(driver, fetch(workshop, "o1", content))
    discard = replace(fetch(workshop, "o2", content), action="discard")
    assert await reach(driver, discard) == await reach(driver, discard)
    assert isinstance((await reach(driver, replace(discard, key="o3")))[0], Done)
    assert sent((await reach(driver, fetch(workshop, "o4", content)))[0]) > 0


async def test_a_fetch_cancelled_before_it_began_never_begins_and_another_goes_on(
    driver: Driver, workshop: Workshop, content: tuple[Item, ...]
) -> None:
    one = fetch(workshop, "o1", content)
    await driver.cancel([one])
    assert code((await reach(workshop.driver(), one))[0]) == "cancelled"
    assert isinstance((await reach(driver, fetch(workshop, "o2", content)))[0], Done)


async def test_waiting_ends_when_its_time_is_over(driver: Driver) -> None:
    begun = time.monotonic()
    await driver.wait(0.05)
    assert time.monotonic() - begun < 5
