"""Overrides at the API: what is set, what comes of all levels, whence, its history, what deployments lack of it."""

import asyncio
from typing import Any

import pytest

from shared.messages.base import Fault
from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import OverridesChanged, SecretChanged, SecretVersion, SetOverrides
from shared.messages.manifest import Component
from shared.messages.strategy import GroupChanged
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import at, sites_changed, succeeded
from tests.support.world import World

pytestmark = pytest.mark.service
ALL = "/v1/apps/web/overrides"


def changed(level: str, target: str | None, nth: int, component: str = "ui", **facts: Any) -> OverridesChanged:
    named = {"app": "web", "level": level, "target": target, "component": component}
    return OverridesChanged.model_validate({**named, "nth": nth, "at": at(nth), "by": "ada", **facts})


async def a_release(api: Api, values: dict[str, Any]) -> None:
    ui = Component(driver="simulated", name="ui", spec={"values": values})
    release = ReleaseAvailable(
        release_id="web-2.0", app="web", version="2.0", scheme="pep440", bundle_sha256="0" * 64, bundle_bytes=1,
        upgrades_from=None, components=(ui,), published_at=at(0),
    )  # fmt: skip
    await api.world.send(release, sequence=1)
    group = GroupChanged(name="north", description="", apply_type="parallel", max_parallel="100%")
    await api.world.send(group, sequence=1)
    await api.world.send(sites_changed("oslo", group="north"), sequence=2)
    await api.world.send(sites_changed("rome"), sequence=3)
    await api.shows("/v1/sites", lambda d: len(d["items"]) == 2)
    await api.shows("/v1/releases", lambda d: len(d["items"]) == 1)


async def test_all_levels_are_shown_merged_with_where_each_value_came_from(world: World) -> None:
    async with gateway(world) as api:
        await a_release(api, {"image": {"tag": "1", "pull": "always"}, "debug": True})
        await world.send(changed("fleet", None, 1, values={"image": {"tag": "f"}, "debug": None}))
        await world.send(changed("group", "north", 1, values={"image": {"tag": "g"}}, enabled=False))
        await world.send(changed("site", "oslo", 1, values={"hosts": ["a"]}, enabled=True))
        await api.shows(ALL, lambda d: len(d["items"]) == 3)
        shown = await api.get(f"{ALL}/ui?site=oslo")
        assert shown["values"] == {"image": {"tag": "g", "pull": "always"}, "debug": None, "hosts": ["a"]}
        assert shown["origins"] == {"image.tag": "group", "image.pull": "release", "debug": "fleet", "hosts": "site"}
        assert (shown["version"], shown["enabled"], shown["release_values"]["debug"]) == ("2.0", True, True)
        assert [level["level"] for level in shown["levels"]] == ["fleet", "group", "site"]
        assert (await api.get(f"{ALL}/ui?group=north"))["enabled"] is False
        assert (await api.get(f"{ALL}/ui"))["values"]["image"]["tag"] == "f"
        assert [i["target"] for i in (await api.get(f"{ALL}?level=site"))["items"]] == ["oslo"]
        for nobody in (f"{ALL}/nope", f"{ALL}/ui?site=paris", f"{ALL}/ui?group=south", "/v1/apps/none/overrides"):
            assert (await api.ask("GET", nobody)).status == 404
        assert (await api.ask("GET", f"{ALL}/ui?site=oslo&group=north")).status == 422


async def test_a_history_is_whole_in_whatever_order_its_changes_come_and_what_is_empty_is_not_set(world: World) -> None:
    async with gateway(world) as api:
        await a_release(api, {})
        for nth, values in ((3, {}), (1, {"a": 1}), (2, {"a": 2}), (1, {"a": 1})):
            await world.send(changed("site", "oslo", nth, values=values, reason=f"r{nth}"))
        path = f"{ALL}/ui/history?site=oslo"
        history = (await api.shows(path, lambda d: len(d["items"]) == 3))["items"]
        assert [(i["nth"], i["values"], i["by"], i["reason"]) for i in history] == [
            (3, {}, "ada", "r3"), (2, {"a": 2}, "ada", "r2"), (1, {"a": 1}, "ada", "r1"),
        ]  # fmt: skip
        assert (await api.get(ALL))["items"] == []
        first = await api.get(f"{path}&limit=2")
        assert [i["nth"] for i in (await api.get(f"{path}&limit=2&cursor={first['next']}"))["items"]] == [1]


async def test_deployments_tell_what_was_set_since_they_came(world: World) -> None:
    async with gateway(world) as api:
        await a_release(api, {})
        await world.send(changed("fleet", None, 1, values={"a": 1}))
        await world.send(succeeded("o-1", "oslo", nth=1, overrides=("fleet/ui/1",)))
        await world.send(succeeded("o-2", "rome", nth=1))
        same = await api.shows("/v1/deployments/oslo/web", lambda d: d["version"] == "2.0")
        assert (same["overrides_changed"], same["changed"]) == (False, [])
        rome = await api.shows("/v1/deployments/rome/web", lambda d: d["overrides_changed"])
        assert rome["changed"] == [
            {"component": "ui", "values": [{"path": "a", "before": None, "after": "1"}], "attributes": []}
        ]
        await world.send(changed("fleet", None, 2, values={"a": 2}, enabled=False))
        oslo = await api.shows("/v1/deployments/oslo/web", lambda d: d["overrides_changed"])
        assert oslo["changed"] == [
            {
                "component": "ui",
                "values": [{"path": "a", "before": "1", "after": "2"}],
                "attributes": ["enabled: not set -> false"],
            }
        ]
        await world.send(changed("fleet", None, 3, values={"a": 1}))  # and back to what oslo came with
        await api.shows("/v1/deployments/oslo/web", lambda d: not d["overrides_changed"])
        only = (await api.get("/v1/deployments?overrides_changed=true"))["items"]
        assert [(d["site"], d["overrides_changed"]) for d in only] == [("rome", True)]


async def test_deployments_tell_which_secrets_were_set_again_since_they_came(world: World) -> None:
    async with gateway(world) as api:
        await a_release(api, {})
        for nth, name in enumerate(("token", "key"), 1):
            await world.send(SecretChanged(name=name, version=nth, at=at(nth), by="ada"), sequence=nth)
        token, key = SecretVersion(name="token", version=1), SecretVersion(name="key", version=2)
        await world.send(succeeded("o-1", "oslo", nth=1, secrets=(token, key)))
        await world.send(succeeded("o-2", "rome", nth=1))
        same = await api.shows("/v1/deployments/oslo/web", lambda d: d["version"] == "2.0")
        assert same["secrets_changed"] == []
        await world.send(SecretChanged(name="token", version=3, at=at(9), by="ada"), sequence=3)
        oslo = await api.shows("/v1/deployments/oslo/web", lambda d: d["secrets_changed"])
        assert oslo["secrets_changed"] == [{"name": "token", "deployed": 1, "now": 3}]
        assert not oslo["overrides_changed"]
        only = (await api.get("/v1/deployments?secrets_changed=true"))["items"]
        assert [(d["site"], d["secrets_changed"]) for d in only] == [("oslo", oslo["secrets_changed"])]
        assert [d["secrets_changed"] for d in (await api.get("/v1/deployments?site=rome"))["items"]] == [[]]
        await world.send(succeeded("o-3", "oslo", nth=2, secrets=(SecretVersion(name="token", version=3), key)))
        await api.shows("/v1/deployments/oslo/web", lambda d: not d["secrets_changed"])
        assert (await api.get("/v1/deployments?secrets_changed=true"))["items"] == []


async def test_what_people_set_is_sent_once_and_audited_with_where_and_refusals_have_their_status(world: World) -> None:
    async with gateway(world) as api:
        await a_release(api, {})
        body = {"level": "group", "target": "north", "values": {"a": 1}, "expected_nth": 0}
        assert (await api.ask("POST", f"{ALL}/ui", body, Idempotency_Key="one", Prefer="respond-async")).status == 202
        command = (await api.command(SetOverrides, "one")).data
        assert (command.app, command.component, command.values) == ("web", "ui", {"a": 1})
        await api.reject(SetOverrides, "one", Fault(code="overrides_changed", field="expected_nth", message="1, not 0"))
        await api.shows("/v1/commands/one", lambda d: d["state"] == "rejected")
        assert (await api.ask("POST", f"{ALL}/ui", body, Idempotency_Key="one")).status == 409
        bad = await api.ask("POST", f"{ALL}/ui", {"level": "site", "values": {"a": 1}})
        assert (bad.status, "target" in str(bad.body)) == (422, True)
        deep: Any = 1
        for _ in range(40):
            deep = {"a": deep}
        assert (await api.ask("POST", f"{ALL}/ui", {"level": "fleet", "values": deep})).status == 422
        audited = (await api.get("/v1/audit"))["items"]
        assert audited[0]["about"] == "web/ui of group north"


async def test_values_may_come_as_the_text_of_a_yaml_file_and_are_read_as_those_of_the_command_line(
    world: World,
) -> None:
    text = "image: {tag: '1.10', pull: always}\nsince: 2024-01-01\nsmall: 1e3\npassword: {secret: shop}\n"
    async with gateway(world) as api:
        body = {"level": "fleet", "values": text, "namespace": "shop", "replace": True, "clear_attributes": True}
        asked = asyncio.create_task(api.ask("POST", f"{ALL}/ui", body, Idempotency_Key="y-1"))
        await api.accept(SetOverrides, "y-1", nth=1, changed=True)
        assert (await asked).status == 202
        sent = (await api.command(SetOverrides, "y-1")).data
        assert sent.values == {
            "image": {"tag": "1.10", "pull": "always"}, "since": "2024-01-01", "small": 1000,
            "password": {"secret": "shop"},
        }  # fmt: skip
        assert (sent.namespace, sent.replace, sent.clear_attributes) == ("shop", True, True)


@pytest.mark.parametrize(
    "text", ["a: [", "- a", "just a text", "a: &a [1]\nb: *none", "a: !!python/object:os.system {}"]
)
async def test_a_text_that_holds_no_values_is_refused_with_all_else_that_is_wrong(world: World, text: str) -> None:
    async with gateway(world) as api:
        reply = await api.ask("POST", f"{ALL}/ui", {"level": "moon", "values": text, "app": "web"})
        assert reply.status == 422
        assert {field for field, _ in reply.codes} == {"values", "level", "app"}
