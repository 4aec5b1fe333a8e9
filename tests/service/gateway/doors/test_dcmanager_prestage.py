"""The calls of the commit that brought prestage orchestration to dcmanager, as it writes them, and their wrong ones."""

import asyncio
from typing import Any

import pytest

from tests.service.gateway.doors.dcmanager_door import PASSWORD, STEPS, STRATEGY, DoorClient, everything
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
PRESTAGE = f"{STRATEGY}?type=prestage"
ACTIONS = f"{STRATEGY}/actions?type=prestage"
SENT = {"Content_Type": "application/json"}
CREATE = b"""{"type": "prestage", \\
         "sysadmin_password": "TGk2OW51eCo=", \\
         "force": "true", \\
         "max-parallel-subclouds": "50", \\
         "group": "Default"}"""
WRONG: list[tuple[bytes, str]] = [
    (b"abc", "Request body is malformed"),
    (b'{"type": "prestage"}', "subcloud sysadmin_password required"),
    (b'{"type": "prestage", "sysadmin_password": "abc"}', "Failed to decode subcloud sysadmin_password"),
    (CREATE.replace(b'"true"', b'"abc"'), "Invalid value 'abc' for force"),
]


async def fleet(door: DoorClient, *names: str) -> None:
    await door.release("1.0.0")
    await door.release("2.0.0")
    await door.sites(*names)


async def test_a_prestage_is_created_shown_applied_watched_and_deleted(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b", "c")
        made = await door.ask("POST", STRATEGY, CREATE, **SENT)
        assert made.status == 200, made.body
        assert made.body.items() >= {"type": "prestage", "max-parallel-subclouds": 50, "state": "initial"}.items()
        extra = {"sysadmin_password": None, "force": True, "prestage-software-version": "2.0.0", "for_sw_deploy": True}
        assert made.body["extra-args"] == extra
        shown = await door.get(PRESTAGE)
        assert shown == made.body
        applied = await door.ask("POST", ACTIONS, {"action": "apply"}, **SENT)
        assert (applied.status, applied.body["state"]) == (200, "applying")
        await door.shows(PRESTAGE, lambda strategy: strategy["state"] == "complete")
        steps = (await door.get(STEPS))["strategy-steps"]
        assert [(step["cloud"], step["state"]) for step in steps] == [(name, "complete") for name in "abc"]
        clouds = (await door.get("/v1.0/subclouds"))["subclouds"]
        assert {(one["prestage-status"], one["software-version"]) for one in clouds} == {("complete", "1.0.0")}
        assert {one["prestage-versions"] for one in clouds} == {"for-install: None - for-sw-deploy: 2.0.0"}
        deleted = await door.ask("DELETE", PRESTAGE, **SENT)
        assert (deleted.status, deleted.body["state"]) == (200, "deleting")
        assert (await door.ask("GET", PRESTAGE)).status == 404


async def test_wrong_calls_are_refused_with_what_is_wrong_and_nothing_is_created(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a")
        for body, words in WRONG:
            refused = await door.ask("POST", STRATEGY, body, **SENT)
            assert (refused.status, words in refused.body) == (400, True), refused.body
        every = {"type": "prestage", "force": 2, "group": "nowhere", "release": "9.9", "max-parallel-subclouds": [1]}
        refused = await door.ask("POST", STRATEGY, every, Accept="application/json")
        assert refused.status == 400
        for words in (
            "for force",
            "Invalid group_id",
            "not found; available: 1.0.0, 2.0.0",
            "max-parallel",
            "required",
        ):
            assert words in refused.body["description"]
        assert (await door.ask("GET", STRATEGY)).status == 404
        assert (await door.api.get("/v1/secrets"))["items"] == []


async def test_a_cloud_that_is_not_there_or_cannot_be_taken_is_refused_at_creation(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b")
        await door.made("PATCH", "/v1.0/subclouds/b", {"management-state": "unmanaged"})
        asked = {"type": "prestage", "sysadmin_password": "TGk2OW51eCo="}
        for cloud, words in (("zzz", "Subcloud zzz does not exist"), ("no name!", "does not exist"), ("b", "managed")):
            refused = await door.ask("POST", STRATEGY, {**asked, "cloud_name": cloud})
            assert (refused.status, words in refused.body) == (422, True), refused.body
            assert "Unable to create strategy of type 'prestage': Bad strategy request" in refused.body
        assert (await door.ask("GET", STRATEGY)).status == 404


async def test_the_password_is_kept_as_a_secret_and_shown_nowhere(world: World, capsys: Any) -> None:
    async with everything(world) as door:
        await fleet(door, "a")
        made = await door.ask("POST", STRATEGY, {"type": "prestage", "sysadmin_password": "U3Q4cmxpbmdYKg=="})
        assert made.status == 200, made.body
        refused = await door.ask("POST", STRATEGY, {"type": "prestage", "sysadmin_password": "U3Q4cmxpbmdYKg=="})
        assert (refused.status, "Strategy of type: 'prestage' already exists" in refused.body) == (422, True)
        secret = await door.api.get("/v1/secrets/sysadmin-password")
        assert secret["version"] == 1, "the one that was refused changed nothing"
        told = str([made, refused, await door.get(PRESTAGE), [e.data for e in world.seen]])
        told += str(await door.api.service.pool.fetchval("select string_agg(c::text, '') from command c"))
        assert PASSWORD not in told + capsys.readouterr().out
        assert "U3Q4cmxpbmdYKg" not in told


async def test_an_abort_ends_what_waits_and_lets_what_runs_end(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, *(f"s{n}" for n in range(4)))
        await door.release("3.0.0", seconds=2)
        asked = {"type": "sw-deploy", "release_id": "3.0.0", "subcloud-apply-type": "serial"}
        made = await door.made("POST", STRATEGY, asked)
        assert (made["subcloud-apply-type"], made["max-parallel-subclouds"]) == ("serial", 1)
        early = await door.ask("POST", f"{STRATEGY}/actions", {"action": "abort"})
        assert (early.status, "Strategy in state initial cannot be aborted" in early.body) == (422, True)
        await door.made("POST", f"{STRATEGY}/actions", {"action": "apply"})
        await door.shows(STEPS, lambda found: any(step["stage"] == "Apply" for step in found["strategy-steps"]))
        aborted = await door.made("POST", f"{STRATEGY}/actions?type=sw-deploy", {"action": "abort"})
        assert aborted["state"] == "abort requested"
        await door.shows(STRATEGY, lambda strategy: strategy["state"] == "aborted")
        states = [step["state"] for step in (await door.get(STEPS))["strategy-steps"]]
        assert (states.count("complete"), states.count("aborted")) == (1, 3)


async def test_actions_that_are_none(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a")
        for body in (b"abc", b"[]", b"5", {}, {"action": ""}, {"action": ["apply"]}, {"other": 1}):
            assert (await door.ask("POST", ACTIONS, body)).status == 400, body
        nothing = await door.ask("POST", ACTIONS, {"action": "apply"})
        assert (nothing.status, "Strategy with type prestage doesn't exist." in nothing.body) == (422, True)
        assert (await door.ask("DELETE", f"{STRATEGY}?type=nonsense")).status == 422
        odd = await door.ask("POST", ACTIONS, {"action": "pause"})
        assert (odd.status, odd.body, odd.headers["X-Belay-Ignored"]) == (200, None, "action")


async def test_one_subcloud_is_prestaged_by_itself_and_not_while_a_strategy_holds_it(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b")
        path = "/v1.0/subclouds/a/prestage"
        for body in ({}, b"abc", {"sysadmin_password": "abc"}, {"sysadmin_password": "TGk2OW51eCo=", "force": "maybe"}):
            assert (await door.ask("PATCH", path, body)).status == 400, body
        asked = {"sysadmin_password": "TGk2OW51eCo=", "force": True, "for_install": "true", "release": "2.0"}
        begun = await door.made("PATCH", path, asked)
        assert (begun["prestage-status"], begun["prestage-software-version"]) == ("prestaging", "2.0.0")
        await door.shows("/v1.0/subclouds/a", lambda cloud: cloud["prestage-status"] == "complete")
        assert (await door.ask("PATCH", "/v1.0/subclouds/zzz/prestage", asked)).status == 404
        await door.made("PATCH", "/v1.0/subclouds/b", {"management-state": "unmanaged"})
        unmanaged = await door.ask("PATCH", "/v1.0/subclouds/b/prestage", asked)
        assert (unmanaged.status, "not managed" in unmanaged.body) == (400, True), unmanaged.body
        await door.release("3.0.0", seconds=3)
        await door.made("POST", STRATEGY, {"type": "sw-deploy", "release_id": "3.0.0", "cloud_name": "a"})
        await door.made("POST", f"{STRATEGY}/actions", {"action": "apply"})
        await door.shows(STEPS, lambda found: found["strategy-steps"][0]["stage"] == "Apply")
        held = await door.ask("PATCH", path, asked)
        assert held.status == 400
        assert "dcmanager-sw-deploy" in held.body, held.body
        await door.shows(STRATEGY, lambda strategy: strategy["state"] == "complete")


async def test_a_failure_stops_the_rest_when_that_is_asked_for_and_its_step_says_why(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b", "c")
        await door.release("3.0.0", fates=dict.fromkeys("abc", "fail"))
        asked = {"type": "sw-deploy", "release_id": "3.0.0", "max-parallel-subclouds": 1, "stop-on-failure": "true"}
        assert (await door.made("POST", STRATEGY, asked))["stop-on-failure"] is True
        await door.made("POST", f"{STRATEGY}/actions", {"action": "apply"})
        await door.shows(STRATEGY, lambda strategy: strategy["state"] == "failed")
        steps = (await door.get(STEPS))["strategy-steps"]
        assert sorted(step["state"] for step in steps) == ["aborted", "aborted", "failed"]
        failed = next(step for step in steps if step["state"] == "failed")
        assert "fail" in failed["details"]
        assert failed["finished-at"] > failed["started-at"]


async def test_a_strategy_that_was_made_elsewhere_is_shown_and_is_in_the_way_of_another(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a")
        spec = {"name": "night", "type": "update", "app": "platform", "version": "2.0.0", "selection": {"all": True}}
        assert (await door.api.ask("POST", "/v1/strategies", {**spec, "max_parallel": "50%"})).status == 202
        shown = await door.get(f"{STRATEGY}?type=sw-deploy")
        assert (shown["max-parallel-subclouds"], shown["extra-args"]["release_id"]) == (1, "2.0.0")
        second = await door.ask("POST", STRATEGY, {"type": "sw-deploy", "release_id": "2.0.0"})
        assert (second.status, "already exists" in second.body) == (422, True)
        other = await door.made("POST", STRATEGY, {"type": "prestage", "sysadmin_password": "TGk2OW51eCo="})
        assert (other["type"], other["id"]) == ("prestage", 2)


async def test_a_group_gives_its_limits_and_the_default_one_has_the_sites_of_none(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b", "c")
        north = {"name": "north", "description": "x", "update_apply_type": "serial", "max_parallel_subclouds": 2}
        await door.made("POST", "/v1.0/subcloud-groups", north)
        await door.made("PATCH", "/v1.0/subclouds/a", {"group_id": "2"})
        asked = {"type": "sw-deploy", "release_id": "2.0.0"}
        made = await door.made("POST", STRATEGY, {**asked, "subcloud_group": "2"})
        assert (made["subcloud-apply-type"], made["max-parallel-subclouds"]) == ("serial", 1)
        assert [step["cloud"] for step in (await door.get(STEPS))["strategy-steps"]] == ["a"]
        await door.made("DELETE", STRATEGY)
        made = await door.made("POST", STRATEGY, {**asked, "subcloud_group": "Default"})
        assert (made["subcloud-apply-type"], made["max-parallel-subclouds"]) == ("parallel", 2)
        assert [step["cloud"] for step in (await door.get(STEPS))["strategy-steps"]] == ["b", "c"]


async def test_a_password_that_connections_name_is_set_by_the_first_request_that_brings_it(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a")
        named = {"connections": {"simulated": {"password": {"secret": "sysadmin-password"}}}}
        changed = await door.api.ask("PATCH", "/v1/sites/a", named)
        assert changed.status == 202, changed.body
        await door.made("POST", STRATEGY, {"type": "prestage", "sysadmin_password": "TGk2OW51eCo="})
        assert (await door.api.get("/v1/secrets/sysadmin-password"))["sites"] == 1
        await door.made("POST", ACTIONS, {"action": "apply"})
        await door.shows(PRESTAGE, lambda strategy: strategy["state"] == "complete")


async def test_subclouds_that_are_offline_are_shown_so_and_left_out_or_refused_where_one_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_DEPLOYER_CHECK_SECONDS", "1")
    async with everything(world) as door:
        await fleet(door, "a", "b")
        gone = {"connections": {"simulated": {"online": False}}}
        assert (await door.api.ask("PATCH", "/v1/sites/b", gone)).status == 202
        await door.shows("/v1.0/subclouds/b", lambda cloud: cloud["availability-status"] == "offline")
        asked = {"type": "prestage", "sysadmin_password": "TGk2OW51eCo="}
        refused = await door.ask("POST", STRATEGY, {**asked, "cloud_name": "b"})
        assert (refused.status, "Prestage skipped" in refused.body) == (422, True), refused.body
        alone = await door.ask("PATCH", "/v1.0/subclouds/b/prestage", {"sysadmin_password": "TGk2OW51eCo="})
        assert (alone.status, "Prestage failed" in alone.body) == (400, True), alone.body
        await door.made("POST", STRATEGY, asked)
        assert [step["cloud"] for step in (await door.get(STEPS))["strategy-steps"]] == ["a"]


async def test_of_apply_and_delete_at_the_same_moment_one_is_done(world: World) -> None:
    async with everything(world) as door:
        await fleet(door, "a", "b")
        for _ in range(3):
            await door.made("POST", STRATEGY, {"type": "sw-deploy", "release_id": "2.0.0"})
            apply, delete = (door.ask("POST", f"{STRATEGY}/actions", {"action": "apply"}), door.ask("DELETE", STRATEGY))
            replies = await asyncio.gather(apply, delete)
            assert sorted(reply.status for reply in replies) == [200, 422], [reply.body for reply in replies]
            if replies[0].status == 200:
                await door.shows(STRATEGY, lambda strategy: strategy["state"] == "complete")
                break
            assert (await door.ask("GET", STRATEGY)).status == 404
