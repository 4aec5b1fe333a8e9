"""A door that speaks for a group of sites: one strategy at a time for each app, and what a mixture shows."""

import asyncio

import pytest

from tests.service.gateway.doors.sysinv_door import APPS, GROUP, everything, sending, tarball
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


async def test_an_app_lives_its_whole_life_on_all_sites_of_a_group(world: World) -> None:
    async with everything(world, group=GROUP) as door:
        await door.group("a", "b", "c")
        await door.sites("d")
        await door.upload("1.0.0")
        await door.shows("uploaded")
        assert (await door.direct("apply"))["status"] == "applying"
        await door.shows("applied")
        assert (await door.update("2.0.0"))["app_version"] == "2.0.0"
        done = await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "2.0.0"))
        assert done["progress"] == "Application update from version 1.0.0 to version 2.0.0 completed."
        running = (await door.api.get("/v1/deployments"))["items"]
        assert sorted((one["site"], one["version"]) for one in running) == [(site, "2.0.0") for site in "abc"]
        await door.direct("remove")
        await door.shows("uploaded")
        await door.made("DELETE", f"{APPS}/shop")
        assert await door.get(APPS) == {"apps": []}


async def test_what_fails_on_some_sites_is_told_and_can_be_tried_again(world: World) -> None:
    async with everything(world, group=GROUP) as door:
        await door.group("a", "b")
        await door.runs()
        await door.update("2.0.0", fates={"b": "fail"})
        mixed = await door.shows(lambda app: app["status"] == "applied" and "of 2 sites" in app["progress"])
        assert "1 applied 2.0.0" in mixed["progress"]
        assert "1 applied 1.0.0" in mixed["progress"]
        await door.update("3.0.0")
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "3.0.0"))


async def test_a_second_request_waits_for_the_end_of_the_first_and_an_abort_turns_back(world: World) -> None:
    async with everything(world, group=GROUP) as door:
        await door.group("a", "b")
        await door.runs()
        asked = sending(tarball("2.0.0", seconds=30))
        replies = await asyncio.gather(*(door.ask("POST", f"{APPS}/update", asked) for _ in range(3)))
        assert sorted(reply.status for reply in replies) == [200, 400, 400]
        await door.shows("updating")
        assert "already in progress" in await door.refuses(400, "POST", f"{APPS}/update", asked)
        await door.direct("abort")
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "1.0.0"))
