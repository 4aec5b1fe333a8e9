"""The library by which all command lines of OpenStack log in, at the sysinv door; numbers, and two who ask at once."""

import asyncio
from typing import Any

import pytest
from keystoneauth1 import session as sessions
from keystoneauth1.identity import generic

from tests.service.gateway.doors.sysinv_door import APPS, SITE, everything, only_the_door, sending, tarball
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
AS_ADMIN = {"project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default"}
SYSINV = {"service_type": "platform", "interface": "public", "region_name": "RegionOne"}


@pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/"])
async def test_it_finds_the_door_by_the_catalog_and_calls_it(world: World, path: str) -> None:
    async with only_the_door(world) as door:
        how = {"auth_url": door.url + path, "username": "admin", "password": door.api.token, **AS_ADMIN}
        session = sessions.Session(auth=generic.Password(**how))

        def calls() -> Any:
            assert session.get_endpoint(**SYSINV) == f"{door.url}/v1"
            return session.get("/apps", endpoint_filter=SYSINV).json()

        assert await asyncio.to_thread(calls) == {"apps": []}


async def test_the_documents_that_clients_ask_for_first_need_no_token(world: World) -> None:
    async with only_the_door(world) as door:
        root = (await door.ask("GET", "/", X_Auth_Token="")).body
        assert (root["name"], root["default_version"]["id"]) == ("Titanium SysInv API", "v1")
        assert [one["id"] for one in root["versions"]] == ["v1", "v3.14"]
        version = (await door.ask("GET", "/v1/", X_Auth_Token="")).body
        assert version["apps"][0] == {"href": f"{door.url}/v1/apps/", "rel": "self"}


async def test_paths_with_a_slash_at_their_end_are_the_same(world: World) -> None:
    async with only_the_door(world) as door:
        assert await door.get(f"{APPS}/") == {"apps": []}
        assert await door.get(f"{APPS}/get_all_apps_by_status/?status=applied") == []
        assert await door.get(f"{APPS}/get_apps_update_status/") is None


async def test_two_that_update_at_the_same_moment_begin_one_update(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.upload("1.0.0")
        uploaded = await door.shows("uploaded")
        assert await door.get(f"{APPS}/kube_app_get_by_id?id=1") == uploaded
        assert await door.get(f"{APPS}/get_all_apps_by_status?status=uploaded") == [uploaded]
        await door.direct("apply")
        await door.shows("applied")
        asked = [sending(tarball(version, seconds=1)) for version in ("2.0.0", "3.0.0")]
        replies = await asyncio.gather(*(door.ask("POST", f"{APPS}/update", body) for body in asked))
        assert sorted(reply.status for reply in replies) == [200, 400]
        begun = next(reply.body["app_version"] for reply in replies if reply.status == 200)
        await door.shows(lambda app: (app["status"], app["app_version"]) == ("applied", begun))


async def test_what_runs_can_be_aborted_and_a_failed_installation_leaves_by_the_ways_of_sysinv(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.upload("1.0.0", seconds=30)
        await door.shows("uploaded")
        await door.direct("apply")
        applying = await door.shows(lambda app: app["status"] == "applying" and app["progress"] is not None)
        assert applying["progress"] == "applying application manifest"
        again = await door.refuses(400, "PATCH", f"{APPS}/shop?directive=apply", {"values": {}})
        assert again == "Application-apply rejected: install/update is already in progress."
        await door.direct("abort")
        failed = await door.shows("apply-failed")
        assert failed["progress"].startswith("operation aborted by user")
        assert "current status is apply-failed" in await door.refuses(400, "DELETE", f"{APPS}/shop")
        assert (await door.direct("remove"))["status"] == "removing"
        await door.shows("uploaded")


async def test_an_update_that_fails_at_once_is_refused_and_one_that_fails_later_is_told(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs()
        edge = tarball("3.0.0", more='upgrades_from: [">=2"]')
        assert "3.0.0" in await door.refuses(400, "POST", f"{APPS}/update", sending(edge))
        wrong = sending(tarball("4.0.0", more="more: 1"))
        assert "this field does not exist" in await door.refuses(400, "POST", f"{APPS}/update", wrong)
        left = await door.shows("applied")
        assert (left["app_version"], left["progress"]) == ("1.0.0", "completed")
        await door.update("2.0.0", fates={SITE: "fail"})
        told = "Application update from version 1.0.0 to version 2.0.0 aborted. Application recover to version 1.0.0"
        failed = await door.shows(lambda app: app["status"] == "applied" and told in (app["progress"] or ""))
        assert failed["app_version"] == "1.0.0"
        same = await door.refuses(400, "POST", f"{APPS}/update", sending(tarball("1.0.0")))
        assert same == "Application-update rejected: the version 1.0.0 is already applied."


async def test_what_another_site_runs_cannot_be_deleted_here(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE, "elsewhere")
        await door.upload("1.0.0")
        await door.shows("uploaded")
        asked = {"site": "elsewhere", "app": "shop", "kind": "apply", "version": "1.0.0"}
        assert (await door.api.ask("POST", "/v1/operations", asked)).status == 202
        await door.api.shows("/v1/deployments", lambda found: len(found["items"]) == 1)
        told = await door.refuses(400, "DELETE", f"{APPS}/shop?force=True")
        assert told.startswith("Application-delete rejected: ")
        assert "elsewhere" in told
        assert (await door.shows("uploaded"))["app_version"] == "1.0.0"
