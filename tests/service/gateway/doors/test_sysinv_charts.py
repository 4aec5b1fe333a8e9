"""Overrides at the sysinv door: set, merged, shown, applied again and taken away, at the level that it speaks for."""

import asyncio
from typing import Any

import pytest
import yaml

from tests.service.gateway.doors.sysinv_door import APP, APPS, GROUP, SITE, DoorClient, everything, tarball
from tests.support.patience import patience
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
CHARTS = "/v1/helm_charts"
WEB = f"{CHARTS}/{APP}?name=web&namespace=default"
NONE = {"flags": {}, "values": {}, "attributes": {}}


async def changed(door: DoorClient, files: list[str], sets: list[str] | None = None, **flags: bool) -> Any:
    body = {**NONE, "flags": flags, "values": {"files": files, "set": sets or []}}
    return await door.made("PATCH", WEB, body)


async def values(door: DoorClient, which: str = "user_overrides") -> Any:
    text = (await door.get(WEB))[which]
    return yaml.safe_load(text) if text else text


@pytest.mark.parametrize("group", [None, GROUP])
async def test_overrides_are_set_merged_shown_and_taken_away(world: World, group: str | None) -> None:
    async with everything(world, group=group) as door:
        await (door.group(SITE) if group else door.sites(SITE))
        await door.upload("1.0.0")
        await door.shows("uploaded")
        assert await door.get(f"{CHARTS}/?app_name={APP}") == {
            "charts": [{"name": "web", "enabled": [True], "namespaces": ["default"]}]
        }
        nothing = dict.fromkeys(("system_overrides", "user_overrides", "combined_overrides"))
        assert await door.get(WEB) == {
            "name": "web", "namespace": "default", "attributes": "enabled: true\n", **nothing,
        }  # fmt: skip
        made = await changed(door, ["a: {b: 1}", "a: {c: 2}"], ["a.b=3"])
        assert yaml.safe_load(made["user_overrides"]) == {"a": {"b": 3, "c": 2}}
        assert await values(door) == await values(door, "combined_overrides") == {"a": {"b": 3, "c": 2}}
        await changed(door, ["d: x"], reuse_values=True, reset_values=False)
        assert await values(door) == {"a": {"b": 3, "c": 2}, "d": "x"}
        off = await door.made("PATCH", WEB, {**NONE, "attributes": {"enabled": "false"}})
        assert off == {"name": "web", "namespace": "default", "attributes": {"enabled": False}}
        assert (await door.get(WEB))["attributes"] == "enabled: false\n"
        assert await values(door) == {"a": {"b": 3, "c": 2}, "d": "x"}
        await changed(door, ["e: 1"])
        assert await values(door) == {"e": 1}
        for _ in range(2):
            gone = await door.ask("DELETE", WEB)
            assert (gone.status, gone.body) == (204, "")
        assert await values(door) is None
        assert (await door.get(WEB))["attributes"] == "enabled: false\n"
        level = f"group={group}" if group else f"site={SITE}"
        kept = await door.api.get(f"/v1/apps/{APP}/overrides/web/history?{level}")
        assert len(kept["items"]) == 5


async def test_what_is_wrong_is_refused_and_nothing_is_set(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.upload("1.0.0")
        await door.shows("uploaded")
        other = f"{CHARTS}/{APP}?name=db&namespace=default"
        deep = "a: " + "{a: " * 18 + "1" + "}" * 18
        for method, path, body, reason in (
            ("GET", f"{CHARTS}?app_name=none", None, "Unable to get the helm charts for application none"),
            ("GET", CHARTS, None, 'Missing argument: "app_name"'),
            ("GET", f"{CHARTS}/{APP}?name=&namespace=x", None, "Name must be specified."),
            ("GET", f"{CHARTS}/{APP}?name=web&namespace=", None, "Namespace must be specified."),
            ("GET", f"{CHARTS}/{APP}?name=web", None, 'Missing argument: "namespace"'),
            ("GET", other, None, "there is no chart db"),
            ("GET", f"{CHARTS}/none?name=web&namespace=default", None, "Application none not found."),
            ("PATCH", other, NONE, "there is no chart db"),
            ("DELETE", other, None, "there is no chart db"),
            ("PATCH", WEB, {**NONE, "values": {"set": ["a=1,b=2"]}}, "contains multiple values"),
            ("PATCH", WEB, {**NONE, "values": {"files": ["a: {secret: nowhere}"]}}, "nowhere"),
            ("PATCH", WEB, {**NONE, "values": {"files": [f"a: {'x' * 70_000}"]}}, "characters"),
            ("PATCH", WEB, {**NONE, "values": {"files": [deep], "set": []}, "flags": {"reapply": 1}}, "reapply"),
        ):
            assert reason in await door.refuses(400, method, path, body), (method, path)
        assert await values(door) is None


async def test_a_changed_override_is_carried_out_where_it_is_asked_for(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs()
        await changed(door, ["a: 1"], reapply=True)
        path = f"/v1/operations?site={SITE}&app={APP}"
        done = await door.api.shows(
            path, lambda found: len(found["items"]) == 2 and found["items"][0]["state"] == "succeeded"
        )
        assert done["items"][0]["kind"] == "apply"
        await door.shows("applied")


async def test_all_apps_of_a_site_are_updated_and_taken_back_with_one_report(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        for app in ("shop", "till"):
            await door.runs(app=app)
            await door.api.ask("POST", "/v1/releases", tarball("2.0.0", app))
        await door.api.shows("/v1/releases", lambda found: len(found["items"]) == 4)
        assert await door.get(f"{APPS}/get_apps_update_status") is None
        for path, version in (("update_all", "2.0.0"), ("rollback_all_apps", "1.0.0")):
            reply = await door.ask("POST", f"{APPS}/{path}/")
            assert (reply.status, reply.body, reply.headers.get("Content-Type")) == (200, "", None)
            for app in ("shop", "till"):
                await door.shows(
                    lambda found, v=version: (found["status"], found["app_version"]) == ("applied", v), app
                )
            report = {"status": "completed", "updated_apps": ["shop", "till"], "failed_apps": []}
            await _reports(door, report)


def _applied(found: Any, version: str) -> bool:
    return (found["status"], found["app_version"]) == ("applied", version)


async def _reports(door: DoorClient, wanted: Any) -> None:
    async with patience(20):
        while await door.get(f"{APPS}/get_apps_update_status") != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_an_event_applies_again_what_names_it(world: World) -> None:
    rules = "behaviour: {reapply_on: [{event: host-unlock, filters: {personality: controller}}]}"
    async with everything(world) as door:
        await door.sites(SITE)
        await door.runs(more=rules)
        for body in (
            {"type": "host-lock"},
            {"type": "host-unlock", "filters": {"personality": "worker"}},
            {"type": "host-unlock", "filters": {"personality": "controller"}},
        ):
            assert await door.made("POST", "/v1/evaluate_apps_reapply/", body) == "Evaluation triggered successfully"
        path = f"/v1/operations?site={SITE}&app={APP}"
        await door.api.shows(path, lambda found: len(found["items"]) == 2)
        said = {"switches": {"reapply_on": [{"event": "swact"}]}}  # by a person, over what the release says
        assert (await door.api.ask("PATCH", f"/v1/behaviours/{APP}", said)).status == 202
        for event in ("host-unlock", "swact"):
            assert await door.made("POST", "/v1/evaluate_apps_reapply/", {"type": event, "personality": "controller"})
        await door.api.shows(path, lambda found: len(found["items"]) == 3)
        assert (await door.api.ask("GET", path)).body["items"][0]["because"]["code"] == "swact"
