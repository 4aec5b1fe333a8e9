"""Subclouds and their groups at the dcmanager door: what scripts read of them, and what they may change."""

from typing import Any

import aiohttp
import pytest

from tests.service.gateway.doors.dcmanager_door import DoorClient, everything, only_the_door
from tests.support.world import World

pytestmark = pytest.mark.service
CLOUDS, GROUPS, OPTIONS = "/v1.0/subclouds", "/v1.0/subcloud-groups", "/v1.0/sw-update-options"
NORTH = {"name": "north", "description": "up there", "update_apply_type": "parallel", "max_parallel_subclouds": 3}


async def sent_as_a_form(door: DoorClient, path: str, **fields: str) -> Any:
    """As their command line does."""
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value, content_type="text/plain")  # which makes it multipart
    headers = {"X-Auth-Token": door.api.token}
    async with door.api.http.patch(door.url + path, data=form(), headers=headers) as answer:
        return answer.status, await answer.text()


async def test_sites_are_subclouds_with_numbers_that_stay(world: World) -> None:
    async with everything(world) as door:
        await door.release("1.0.0")
        await door.release("1.1.0")
        await door.sites("b", "a")
        shown = (await door.get(f"{CLOUDS}/"))["subclouds"]
        assert [(one["id"], one["name"], one["group_id"]) for one in shown] == [(1, "a", 1), (2, "b", 1)]
        one = shown[0]
        assert (one["software-version"], one["deploy-status"], one["sync_status"]) == (
            "1.0.0",
            "complete",
            "out-of-sync",
        )
        assert (one["management-state"], one["availability-status"]) == ("managed", "online")
        await door.sites("0", running=None)
        shown = (await door.get(CLOUDS))["subclouds"]
        assert [(one["id"], one["name"]) for one in shown] == [(3, "0"), (1, "a"), (2, "b")]
        assert shown[0]["deploy-status"] == "not-deployed"
        by_number, by_name = await door.get(f"{CLOUDS}/2"), await door.get(f"{CLOUDS}/b/")
        assert by_number == by_name
        assert "sync_status" not in by_name
        assert (await door.get(f"{CLOUDS}/b/detail"))["region_name"] == "b"
        for ref in ("9", "c", "99999999999999999999"):
            assert (await door.ask("GET", f"{CLOUDS}/{ref}")).status == 404


async def test_a_subcloud_is_changed_as_json_and_as_a_form_and_deleted_once_it_is_unmanaged(world: World) -> None:
    async with everything(world) as door:
        await door.release("1.0.0")
        await door.sites("a", running=None)
        await door.made("POST", GROUPS, NORTH)
        changed = await door.made("PATCH", f"{CLOUDS}/a", {"description": "first", "group_id": "north"})
        assert (changed["description"], changed["group_id"]) == ("first", 2)
        refused = await door.ask("DELETE", f"{CLOUDS}/a")
        assert (refused.status, "must be unmanaged" in refused.body) == (400, True)
        status, text = await sent_as_a_form(door, f"{CLOUDS}/1", **{"management-state": "unmanaged", "group_id": "1"})
        assert status == 200, text
        shown = await door.get(f"{CLOUDS}/a")
        assert (shown["management-state"], shown["group_id"], shown["description"]) == ("unmanaged", 1, "first")
        assert await door.made("DELETE", f"{CLOUDS}/a") is None
        assert await door.get(CLOUDS) == {"subclouds": []}


async def test_what_cannot_be_changed_is_refused_with_every_reason(world: World) -> None:
    async with everything(world) as door:
        await door.sites("a", running=None)
        wrong = {"management-state": "on", "group_id": "nowhere", "force": 2, "management-subnet": "10.0.0.0/24"}
        refused = await door.ask("PATCH", f"{CLOUDS}/a", wrong)
        assert refused.status == 400
        for words in ("Invalid management-state", "Invalid group", "for force", "management-subnet cannot be changed"):
            assert words in refused.body
        for body in ({}, b"abc", b"[1]", {"unknown": 1}, {"description": "x" * 201}):
            assert (await door.ask("PATCH", f"{CLOUDS}/a", body)).status == 400
        assert (await sent_as_a_form(door, f"{CLOUDS}/a", force="true"))[0] == 400
        broken = await door.ask("PATCH", f"{CLOUDS}/a", b"junk", Content_Type="multipart/form-data; boundary=x")
        assert broken.status == 400
        assert (await door.ask("PATCH", f"{CLOUDS}/zzz", {"description": "x"})).status == 404


async def test_groups_are_made_shown_changed_and_removed(world: World) -> None:
    async with everything(world) as door:
        made = await door.made("POST", f"{GROUPS}/", {**NORTH, "max_parallel_subclouds": "3"})
        assert made.items() >= {**NORTH, "id": 2}.items()
        listed = (await door.get(GROUPS))["subcloud_groups"]
        assert [(g["id"], g["name"], g["subcloud_count"]) for g in listed] == [(1, "Default", 0), (2, "north", 0)]
        twice = await door.ask("POST", GROUPS, NORTH)
        assert (twice.status, "already exists" in twice.body) == (400, True)
        changed = await door.made("PATCH", f"{GROUPS}/2", {"update_apply_type": "serial", "name": "north"})
        assert changed["update_apply_type"] == "serial"
        await door.sites("a", "b", running=None, group="north")
        members = (await door.get(f"{GROUPS}/north/subclouds"))["subclouds"]
        assert ([one["name"] for one in members], "sync_status" in members[0]) == (["a", "b"], False)
        assert await door.get(f"{GROUPS}/Default/subclouds") == {"subclouds": []}
        assert (await door.ask("DELETE", f"{GROUPS}/north")).status == 400
        for name in "ab":
            await door.made("PATCH", f"{CLOUDS}/{name}", {"group_id": 1})
        assert await door.made("DELETE", f"{GROUPS}/north") is None
        assert (await door.ask("GET", f"{GROUPS}/north")).status == 404


async def test_a_group_that_cannot_be_is_refused_with_every_reason(world: World) -> None:
    async with everything(world) as door:
        wrong = {"name": "No*", "description": "x" * 255, "update_apply_type": "all", "max_parallel_subclouds": 0}
        refused = await door.ask("POST", GROUPS, wrong)
        assert refused.status == 400
        for field in ("name", "description", "update_apply_type", "max_parallel_subclouds"):
            assert f"Invalid group {field}" in refused.body
        bodies: list[Any] = [{}, b"abc", b"[]", {**NORTH, "name": "DEFAULT"}, {**NORTH, "name": "12"}, {"name": "x"}]
        for body in (*bodies, {**NORTH, "max_parallel_subclouds": 5001}, {**NORTH, "max_parallel_subclouds": [1]}):
            assert (await door.ask("POST", GROUPS, body)).status == 400
        for method, body in (("PATCH", {"description": "x"}), ("DELETE", None)):
            assert (await door.ask(method, f"{GROUPS}/1", body)).status == 400
            assert (await door.ask(method, f"{GROUPS}/nowhere", body)).status == 404
        assert [g["name"] for g in (await door.get(GROUPS))["subcloud_groups"]] == ["Default"]


async def test_what_has_no_meaning_here_says_so(world: World) -> None:
    async with only_the_door(world) as door:
        assert [one["name"] for one in (await door.get(OPTIONS))["sw-update-options"]] == ["all clouds default"]
        assert (await door.get(f"{OPTIONS}/RegionOne"))["max-parallel-workers"] == 10
        refusals: list[tuple[str, str, Any, int]] = [
            ("POST", f"{OPTIONS}/RegionOne", {"a": 1}, 422),
            ("POST", f"{OPTIONS}/RegionOne", b"__import__('os')", 400),
            ("DELETE", f"{OPTIONS}/a", None, 404),
            ("POST", CLOUDS, {"name": "a"}, 422),
            ("PATCH", f"{CLOUDS}/a/restore", {"a": 1}, 410),
            ("PATCH", f"{CLOUDS}/a/redeploy", {"a": 1}, 422),
            ("POST", "/v1.0/subcloud-backup", {"subcloud": "a"}, 404),
            ("PATCH", "/v1.0/subcloud-backup/restore", {"subcloud": "a"}, 404),
            ("GET", "/v1.0/system-peers/", None, 404),
            ("GET", "/v1.0/nothing", None, 404),
            ("PUT", CLOUDS, None, 405),
        ]
        for method, path, body, status in refusals:
            assert (await door.ask(method, path, body)).status == status, path
