"""A script of sysinv's from its first call to its last, on real services and simulated sites."""

import pytest

from tests.service.gateway.doors.sysinv_door import APPS, SITE, everything, sending, tarball
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


async def test_an_app_is_uploaded_applied_removed_and_deleted(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        assert await door.get(APPS) == {"apps": []}
        made = await door.upload("1.0.0")
        assert made.pop("created_at").endswith("+00:00")
        assert made == {
            "name": "shop",
            "app_version": "1.0.0",
            "manifest_name": "shop-fluxcd-manifests",
            "manifest_file": "fluxcd-manifests",
            "status": "uploading",
            "progress": None,
            "active": False,
            "updated_at": None,
        }
        uploaded = await door.shows("uploaded")
        assert (uploaded["app_version"], uploaded["progress"], uploaded["active"]) == ("1.0.0", "completed", False)
        assert uploaded["created_at"].endswith("+00:00")
        listed = (await door.get(APPS))["apps"]
        assert [one | {"created_at": uploaded["created_at"], "updated_at": None} for one in listed] == [uploaded]
        assert "already exists" in await door.refuses(400, "POST", APPS, sending(tarball("1.0.0")))
        assert (await door.direct("apply"))["status"] == "applying"
        applied = await door.shows("applied")
        assert (applied["active"], applied["progress"]) == (True, "completed")
        assert "current status is applied" in await door.refuses(400, "DELETE", f"{APPS}/shop?force=False")
        assert (await door.direct("remove"))["status"] == "removing"
        assert (await door.shows("uploaded"))["active"] is False
        gone = await door.ask("DELETE", f"{APPS}/shop?force=False")
        assert (gone.status, gone.body, gone.headers.get("Content-Type")) == (204, "", None)
        assert await door.refuses(404, "GET", f"{APPS}/shop") == "No application with name shop."
        assert "application not found" in await door.refuses(400, "DELETE", f"{APPS}/shop")
        await door.upload("1.0.0", seconds=0.1)  # the version is free for other content
        await door.shows("uploaded")


async def test_an_app_is_updated_to_a_file_that_is_sent_and_back(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs()
        asked = await door.update("2.0.0")
        assert (asked["app_version"], asked["status"]) == ("2.0.0", "updating")
        done = await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "2.0.0"))
        assert done["progress"] == "Application update from version 1.0.0 to version 2.0.0 completed."
        await door.update("1.0.0")
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "1.0.0"))


async def test_a_path_is_the_name_of_a_file_from_which_a_release_was_published(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs()
        named = await door.api.ask("POST", "/v1/releases?file_name=shop-2.0.0.tgz", tarball("2.0.0"))
        assert named.status == 202
        await door.api.shows("/v1/releases", lambda found: len(found["items"]) == 2)
        path = {"tarfile": "/home/sysadmin/shop-2.0.0.tgz", "reuse_user_overrides": "True"}
        assert (await door.made("POST", f"{APPS}/update", path))["app_version"] == "2.0.0"
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", "2.0.0"))
        again = await door.refuses(400, "POST", f"{APPS}/update", path)
        assert again.startswith(
            "Application-update rejected: the version 2.0.0 is already applied.; it was published from"
        )
        assert "if the file has changed since, send the file itself" in again
        unknown = await door.refuses(400, "POST", f"{APPS}/update", {"tarfile": "/home/sysadmin/shop-9.tgz"})
        assert "no release was published from a file of the name shop-9.tgz; send the file itself" in unknown


async def test_a_removal_that_fails_is_turned_back_and_by_force_stays_as_far_as_it_came(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE, params={"simulated": "fail"})
        await door.runs(fates={SITE: "succeed"})  # of the release itself; what removes it falls
        await door.direct("remove")
        kept = await door.shows(lambda app: app["status"] == "applied" and app["progress"] != "completed")
        assert kept["active"] is True
        forced = await door.ask("PATCH", f"{APPS}/shop?directive=remove&force=True", {"values": {}})
        assert (forced.status, "X-Belay-Ignored" in forced.headers) == (200, False)
        await door.shows("remove-failed")
        await door.direct("remove&force=true")  # asked for again as often as anybody likes
        await door.shows("remove-failed")
