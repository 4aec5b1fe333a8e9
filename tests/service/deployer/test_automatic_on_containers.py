"""What goes by itself, on a real engine: what somebody did to containers is told and put right once, releases come."""

from typing import Any

import pytest

from services.deployer.drivers.durable.driver import DurableDriver
from shared.messages.automatic import Switches
from shared.messages.base import CommandAccepted
from shared.messages.deployer import (
    AutomaticRequested,
    ClearFailedRelease,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
    SetAppBehaviour,
)
from tests.service.deployer.audited import ENVIRONMENT, QUICK, behave, looked_at, put_right
from tests.service.deployer.fleet import Fleet, ready
from tests.support.components import as_published
from tests.support.container_lab import Lab
from tests.support.container_sites import ids, order, push, replaced_by_hand
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.containers]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


async def publish(fleet: Fleet, lab: Lab, version: str, **spec: Any) -> None:
    """A release whose container behaves as `spec` says."""
    await fleet.release(version, as_published(order(lab, "", version, **spec).component))
    await fleet.known(fleet.service)


def runs(lab: Lab) -> str:
    """What the one container that is there says it is."""
    [one] = ids(lab)
    return lab.podman("exec", one, "cat", "/tmp/www/version")  # noqa: S108 - in a container


async def a_stranger_is_left_alone_until_it_is_gone(fleet: Fleet, lab: Lab, image: str) -> None:
    world = fleet.world
    # What is told only is not put right between the two steps of who does this by hand.
    only_told = SetAppBehaviour(app="shop", switches=Switches(audit=True), as_released=("desired_state",))
    assert isinstance(await world.ask(only_told), CommandAccepted)
    [one] = ids(lab)
    stranger = replaced_by_hand(lab, one, image, labelled=False)
    await world.until(DriftFound, lambda event: event.sites[0].components[0].code == "stranger")
    await behave(world, desired_state="deployed")
    await looked_at(fleet, times=2)
    assert (world.events(DriftFound)[-1].sites[0].then, len(world.events(AutomaticRequested))) == ("told", 3)
    lab.podman("rm", "--force", "--time=0", stranger)
    assert await put_right(fleet, 4) == "its container is gone"
    assert runs(lab) == "1.0"


async def test_what_was_done_to_a_container_by_hand_is_put_right_once_and_a_failed_release_comes_only_once(
    world: World, containers: DurableDriver, container_lab: Lab
) -> None:
    lab = container_lab
    async with ready(world, [], [], also={"container": containers}, **QUICK) as fleet:
        await fleet.sites("s1", driver="container", params={"url": lab.url})
        await publish(fleet, lab, "1.0")
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        other = push(lab, "9.0")

        lab.kill_service()
        try:
            [one] = ids(lab)
            lab.podman("rm", "--force", "--time=0", one)
            await behave(world, desired_state="deployed")
            await looked_at(fleet, times=2)
            assert (world.events(DriftFound), world.events(AutomaticRequested)) == ([], [])
        finally:
            lab.start_service()
        assert "its container is gone" in await put_right(fleet, 1)
        assert runs(lab) == "1.0"

        [one] = ids(lab)
        lab.podman("stop", "--time=0", one)
        assert "it exited with status" in await put_right(fleet, 2)
        assert ids(lab) == {one: "running"}

        replaced_by_hand(lab, one, other)
        assert "it runs another image than" in await put_right(fleet, 3)
        assert runs(lab) == "1.0"

        await a_stranger_is_left_alone_until_it_is_gone(fleet, lab, other)

        await publish(fleet, lab, "2.0", environment={"EXIT": "3"})
        await behave(world, desired_state="deployed", auto_update=True)
        await world.until(FailedReleaseChanged, lambda event: (event.version, event.barred) == ("2.0", True))
        [failed] = world.events(OperationFailed)
        assert (failed.to_version, failed.version, failed.recovered) == ("2.0", "1.0", True)
        await looked_at(fleet, times=2)
        assert (runs(lab), len(world.events(OperationFailed))) == ("1.0", 1)

        assert isinstance(await world.ask(ClearFailedRelease(app="shop", version="2.0")), CommandAccepted)
        await world.until(OperationFailed, lambda _: len(world.events(OperationFailed)) == 2)
        assert {failed.to_version for failed in world.events(OperationFailed)} == {"2.0"}
        await publish(fleet, lab, "2.1")
        await world.until(OperationSucceeded, lambda event: event.version == "2.1")
        assert runs(lab) == "2.1"
