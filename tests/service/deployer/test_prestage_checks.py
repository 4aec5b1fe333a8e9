"""What keeps a prestage from beginning: what is known of its site, and what the site itself says."""

from datetime import UTC, datetime

import pytest

from shared.messages.deployer import OperationFailed, OperationSucceeded
from shared.messages.strategy import AlarmRaised, SitesHeld
from tests.service.deployer.fleet import Fleet, ready
from tests.service.deployer.prepared import MIB, item, prepare, prestaging, until_asked
from tests.support.world import World

pytestmark = pytest.mark.service


async def failed(fleet: Fleet, site: str, version: str) -> OperationFailed:
    end = await fleet.do(site, "prestage", version)
    assert isinstance(end, OperationFailed), end
    assert [(phase.name, phase.outcome) for phase in end.phases] == [("precheck", "failed")]
    return end


async def alarm(fleet: Fleet, site: str, *affecting: str) -> None:
    facts = {"alarm": "link", "severity": "major", "management_affecting": True, "raised_at": datetime.now(UTC)}
    await fleet.tell(AlarmRaised(site=site, affecting=affecting, **facts))
    await fleet.known(fleet.service)


async def test_what_is_known_of_a_site_refuses_it_with_every_reason(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.sites("oslo", managed=False, maintenance=True)
        await alarm(fleet, "oslo", "link", "clock")
        assert await fleet.refused("oslo", "prestage", "1.0") == ["unmanaged", "in_maintenance", "alarms_active"]
        assert await fleet.refused("oslo", "prestage", "9.0") == [
            "unknown_release",
            "unmanaged",
            "in_maintenance",
            "alarms_active",
        ]
        assert await fleet.refused("oslo", "prestage") == [
            "missing_field",
            "unmanaged",
            "in_maintenance",
            "alarms_active",
        ]


async def test_alarms_are_passed_over_by_force_also_when_another_deployer_takes_it_up(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        await alarm(fleet, "oslo", "link")
        assert await fleet.refused("oslo", "prestage", "1.0") == ["alarms_active"]
        assert isinstance(await fleet.do("oslo", "prestage", "1.0", force=True), OperationSucceeded)


async def test_an_alarm_that_comes_while_it_waits_ends_it(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        operation = await fleet.request("oslo", "prestage", "1.0")
        await until_asked(fleet, "1.0")
        await alarm(fleet, "oslo", "link")
        await prepare(fleet, "1.0", item("wheels"))
        end = await fleet.end(operation)
        assert isinstance(end, OperationFailed)
        assert end.cause.code == "alarms_active"


async def test_a_site_that_does_not_answer_is_offline(world: World) -> None:
    async with prestaging(world, ["rome"], ["1.0"]) as fleet:
        await fleet.sites("oslo", params={"online": False})
        await fleet.known(fleet.service)
        assert (await failed(fleet, "oslo", "1.0")).cause.code == "site_offline"


async def test_a_site_without_room_says_how_much_is_missing_there(world: World) -> None:
    async with prestaging(world, ["rome"], ["1.0"]) as fleet:
        await fleet.sites("oslo", params={"free_bytes": 7 * MIB})
        await fleet.known(fleet.service)
        end = await failed(fleet, "oslo", "1.0")
        assert (end.cause.code, end.cause.message) == (
            "disk_full",
            "'oslo' has 7.0 MiB free, and 8.0 MiB are missing there",
        )
        await fleet.sites("oslo", params={"free_bytes": 8 * MIB})
        await fleet.known(fleet.service)
        assert (await fleet.do("oslo", "prestage", "1.0")).fetched_bytes == 8 * MIB
        await fleet.sites("oslo", params={"free_bytes": 0})  # all of it lies there
        await fleet.known(fleet.service)
        assert (await fleet.do("oslo", "prestage", "1.0")).fetched_bytes == 0


async def test_a_site_gets_the_images_of_its_platform_and_one_without_any_fails(world: World) -> None:
    async with ready(world, [], ["1.0"]) as fleet:
        for site, platform in (("amd", "linux/amd64"), ("arm", "linux/arm64"), ("risc", "linux/riscv64")):
            await fleet.sites(site, params={"facts": {"platform": platform}})
        await fleet.known(fleet.service)
        images = [item("web", n * MIB, "image", platform=p) for n, p in ((2, "linux/amd64"), (3, "linux/arm64"))]
        await prepare(fleet, "1.0", *images)
        assert (await fleet.do("amd", "prestage", "1.0")).fetched_bytes == 2 * MIB
        arm = await fleet.do("arm", "prestage", "1.0")
        assert [(p.bytes, p.platform) for p in arm.prestaged or ()] == [(3 * MIB, "linux/arm64")]
        end = await failed(fleet, "risc", "1.0")
        assert end.cause.code == "platform_mismatch"
        assert "web for linux/amd64, linux/arm64" in end.cause.message


async def test_a_prestage_by_hand_is_refused_while_a_strategy_holds_the_site(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.tell(SitesHeld(strategy_id="s", strategy="shop-2", names=("oslo",)))
        await fleet.known(fleet.service)
        assert await fleet.refused("oslo", "prestage", "1.0") == ["site_held"]
        assert isinstance(await fleet.do("oslo", "prestage", "1.0", strategy_id="s"), OperationSucceeded)
