"""Overrides from their command to the device: merged, kept, changed by two at once, dropped, and found again on the way
back; on real Kafka and PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.deployer.drivers import Broken, Order
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import (
    ClearOverrides,
    OperationFailed,
    OperationSucceeded,
    OverridesChanged,
    RemoveSecret,
    RestoreOverrides,
    SetOverrides,
)
from shared.messages.strategy import GroupDeleted
from tests.service.deployer.fleet import APP, Fleet, deployer, ready
from tests.service.deployer.test_secrets import put
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service


class Keeping(SimulatedDriver):
    """Devices that remember what values each order brought."""

    def before(self, driver: SimulatedDriver) -> "Keeping":
        self.inner = driver
        return self

    def __init__(self) -> None:
        self.values: dict[str, Mapping[str, Any]] = {}
        self.last: dict[str, Mapping[str, Any]] = {}
        self.actions: dict[str, str] = {}

    async def start(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.values[order.key], self.actions[order.key] = order.component.spec.values, order.action
            self.last[order.site] = order.component.spec.values
        await self.inner.start(orders)

    async def poll(self, orders: Sequence[Order]) -> Any:
        """What has the value `breaks` breaks."""
        found = await self.inner.poll(orders)
        broken = Broken("broke", "it has the value `breaks`")
        return [broken if "breaks" in o.component.spec.values else p for o, p in zip(orders, found, strict=True)]

    async def cancel(self, orders: Sequence[Order]) -> None:
        await self.inner.cancel(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Any:
        return await self.inner.has_revision(orders)

    async def wait(self, seconds: float) -> None:
        await self.inner.wait(seconds)


@asynccontextmanager
async def fleet_of(world: World, *versions: str, **own: Any) -> AsyncIterator[tuple[Fleet, Keeping]]:
    devices = Keeping()
    async with ready(world, [], versions, drive=devices.before, **own) as fleet:
        await fleet.sites("oslo", group="north")
        await fleet.sites("rome")
        await fleet.known(fleet.service)
        yield fleet, devices


def setting(level: str, target: str | None = None, component: str = "web", **facts: Any) -> SetOverrides:
    return SetOverrides.model_validate({"app": APP, "level": level, "target": target, "component": component, **facts})


async def override(
    world: World, level: str, target: str | None = None, actor: str = "ada", **facts: Any
) -> dict[str, Any]:
    answer = await world.ask(setting(level, target, **facts), actor=actor)
    assert isinstance(answer, CommandAccepted), answer
    return answer.result


async def refused(world: World, command: Any) -> dict[str, str]:
    """By code, the messages of the faults."""
    answer = await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return {
        code: "\n".join(fault.message for fault in answer.faults if fault.code == code)
        for code in {fault.code for fault in answer.faults}
    }


async def test_levels_are_merged_onto_the_release_and_reach_the_device_and_the_plan(world: World) -> None:
    async with fleet_of(world) as (fleet, devices):
        await fleet.release(
            "1.0", simulated(values={"image": {"tag": "1", "pull": "always"}, "hosts": ["a"], "debug": 1})
        )
        await fleet.known(fleet.service)
        await override(world, "fleet", values={"image": {"tag": "f"}, "hosts": ["b", "c"]})
        await override(world, "group", "north", values={"image": {"tag": "g"}})
        await override(world, "site", "oslo", values={"debug": None})
        done = await fleet.do("oslo", "apply", "1.0")
        assert devices.last["oslo"] == {"image": {"tag": "g", "pull": "always"}, "hosts": ["b", "c"]}
        assert {change.path: (change.before, change.after) for change in done.plan[0].values} == {
            "image.tag": (None, '"g"'), "image.pull": (None, '"always"'), "hosts": (None, '["b", "c"]'),
        }  # fmt: skip
        await fleet.do("rome", "apply", "1.0")
        assert devices.last["rome"] == {"image": {"tag": "f", "pull": "always"}, "hosts": ["b", "c"], "debug": 1}


async def test_a_fleet_for_which_nothing_is_set_has_plans_as_before(world: World) -> None:
    async with fleet_of(world, "1.0", "2.0") as (fleet, _):
        await fleet.do("oslo", "apply", "1.0")
        done = await fleet.do("oslo", "update", "2.0")
        assert "values" not in done.plan[0].model_dump()
        assert await fleet.service.pool.fetchval("select overrides is null from deployment where site = 'oslo'")
        assert not await fleet.service.pool.fetchval("select count(*) from operation where terms is not null")


async def test_a_changed_override_is_carried_out_by_a_reapply_and_nothing_else_is_touched(world: World) -> None:
    async with fleet_of(world) as (fleet, devices):
        await fleet.release("1.0", simulated("web"), simulated("db"))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        nothing = await fleet.do("oslo", "apply", only_changes=True)
        assert [way.action for way in nothing.plan] == ["keep", "keep"]
        await override(world, "fleet", values={"replicas": 3})
        done = await fleet.do("oslo", "apply", only_changes=True)
        assert {way.component: way.action for way in done.plan} == {"web": "apply", "db": "keep"}
        assert done.plan[0].reason == "what is set for it has changed"
        assert devices.last["oslo"] == {"replicas": 3}
        again = await fleet.do("oslo", "apply", only_changes=True)
        assert [way.action for way in again.plan] == ["keep", "keep"]
        assert await fleet.refused("rome", "apply", only_changes=True) == ["nothing_deployed"]
        assert "invalid_field" in await fleet.refused("oslo", "rollback", only_changes=True)


async def test_overrides_are_kept_over_an_update_and_a_rollback_with_other_values_applies(world: World) -> None:
    async with fleet_of(world, "1.0", "2.0") as (fleet, devices):
        await override(world, "site", "oslo", values={"a": 1})
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        assert devices.last["oslo"] == {"a": 1}
        back = await fleet.do("oslo", "rollback")
        assert [way.action for way in back.plan] == ["rollback"]  # with the very values that were recorded
        await fleet.do("oslo", "update", "2.0")
        await override(world, "site", "oslo", values={"a": 2})
        back = await fleet.do("oslo", "rollback")
        assert [way.action for way in back.plan] == ["apply"]
        assert "other values were set" in back.plan[0].reason
        assert devices.last["oslo"] == {"a": 2}


async def test_recovery_goes_back_to_the_values_that_ran_before_whatever_was_set_meanwhile(world: World) -> None:
    async with fleet_of(world) as (fleet, devices):
        await fleet.release("1.0", simulated(seconds=(0, 0)))
        await fleet.known(fleet.service)
        await override(world, "site", "oslo", values={"a": "ran"})
        await fleet.do("oslo", "apply", "1.0")
        await fleet.release("2.0", simulated(sites={"oslo": "fail"}))
        await fleet.known(fleet.service)
        await override(world, "site", "oslo", values={"a": "new"})
        failed = await fleet.do("oslo", "update", "2.0")
        assert isinstance(failed, OperationFailed)
        assert failed.recovered
        assert devices.values[f"{failed.operation_id}/forward/web"] == {"a": "new"}
        assert devices.values[f"{failed.operation_id}/recover/web"] == {"a": "ran"}
        recovered = await fleet.do("oslo", "recover")
        assert isinstance(recovered, OperationSucceeded)
        assert devices.last["oslo"] == {"a": "ran"}  # and the change is still to be carried out
        done = await fleet.do("oslo", "apply", only_changes=True)
        assert (done.plan[0].action, devices.last["oslo"]) == ("apply", {"a": "new"})


async def test_a_reapply_that_fails_goes_back_to_the_values_of_the_same_release(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, devices):
        await override(world, "site", "oslo", values={"a": 1})
        await fleet.do("oslo", "apply", "1.0")
        await override(world, "site", "oslo", values={"a": 2, "breaks": True})
        failed = await fleet.do("oslo", "apply", only_changes=True, reset_overrides=False)
        assert isinstance(failed, OperationFailed)
        assert (failed.recovered, failed.version, failed.overrides) == (True, "1.0", ("site/web/1",))
        recover = f"{failed.operation_id}/recover/web"
        assert devices.values[recover] == {"a": 1}
        assert devices.actions[recover] == "rollback"  # the revision is of that release with those values
        await override(world, "site", "oslo", unset=("breaks",))
        done = await fleet.do("oslo", "apply", only_changes=True)
        assert (devices.last["oslo"], done.overrides) == ({"a": 2}, ("site/web/3",))


async def test_an_operation_goes_on_with_what_was_set_when_it_was_accepted(world: World) -> None:
    async with fleet_of(world) as (fleet, devices):
        await fleet.release("1.0", simulated("db", seconds=(1, 1)), simulated("web", "db"))
        await fleet.known(fleet.service)
        await override(world, "fleet", values={"a": "then"})
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.begun(operation)
        await override(world, "fleet", values={"a": "now"})
        done = await fleet.end(operation)
        assert isinstance(done, OperationSucceeded)
        assert devices.values[f"{operation}/forward/web"] == {"a": "then"}
        done = await fleet.do("oslo", "apply", only_changes=True)
        assert {way.component: way.action for way in done.plan} == {"db": "keep", "web": "apply"}


async def test_components_are_switched_off_and_on(world: World) -> None:
    async with fleet_of(world) as (fleet, _):
        off = simulated("extra").model_copy(update={"enabled": False})
        await fleet.release("1.0", simulated("web"), simulated("db"), off)
        await fleet.known(fleet.service)
        await override(world, "site", "oslo", component="db", enabled=False)
        await override(world, "fleet", component="extra", enabled=True)
        done = await fleet.do("oslo", "apply", "1.0")
        assert {way.component: way.action for way in done.plan} == {"web": "apply", "extra": "apply", "db": "skip"}
        assert fleet.running("oslo") == {"web": "1.0", "extra": "1.0"}
        await override(world, "site", "oslo", component="db", enabled=True)
        await override(world, "site", "oslo", component="extra", enabled=False)
        done = await fleet.do("oslo", "apply", only_changes=True)
        assert {way.component: (way.action, way.reason) for way in done.plan} == {
            "web": ("keep", "unchanged since release 1.0"),
            "db": ("apply", "nothing is recorded of what runs there"),
            "extra": ("remove", "it is switched off"),
        }
        assert fleet.running("oslo") == {"web": "1.0", "db": "1.0"}


async def left_half_done(fleet: Fleet) -> None:
    """Release 1.0 runs plain, and a reapply with `extra` switched on and other values fails like its way back."""
    off = simulated("extra").model_copy(update={"enabled": False})
    await fleet.release("1.0", simulated("web", values={"size": 1}), off)
    await fleet.known(fleet.service)
    await fleet.do("oslo", "apply", "1.0")
    await override(fleet.world, "site", "oslo", component="extra", enabled=True)
    await override(fleet.world, "site", "oslo", values={"breaks": 1})
    left = await fleet.do("oslo", "apply", only_changes=True, recover="never")
    assert (left.status, fleet.running("oslo")) == ("apply_error", {"web": "1.0", "extra": "1.0"})


async def test_a_recovery_of_what_was_left_half_done_brings_back_what_ran_and_nothing_else(world: World) -> None:
    async with fleet_of(world) as (fleet, devices):
        await left_half_done(fleet)
        back = await fleet.do("oslo", "recover")
        assert {way.component: way.action for way in back.plan} == {"web": "rollback", "extra": "remove"}
        assert (back.status, fleet.running("oslo")) == ("operational", {"web": "1.0"})
        assert devices.values[f"{back.operation_id}/forward/web"] == {"size": 1}
        assert await fleet.service.pool.fetchval("select overrides is null from deployment where site = 'oslo'")


async def test_a_removal_of_what_was_left_half_done_leaves_nothing_of_it(world: World) -> None:
    async with fleet_of(world) as (fleet, _):
        await left_half_done(fleet)
        assert (await fleet.do("oslo", "remove")).status == "removed"
        assert fleet.running("oslo") == {}


async def test_two_people_at_once_lose_nothing_and_who_says_what_he_saw_is_told_of_the_other(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, _):
        ids = [await world.send(setting("fleet", values={f"k{n}": n}), actor=f"p{n}") for n in range(20)]
        answers = [await world.answer(each) for each in ids]
        assert sorted(answer.result["nth"] for answer in answers) == list(range(1, 21))
        given = await fleet.service.pool.fetchval("select given from override")
        assert given == {f"k{n}": n for n in range(20)}
        said = await refused(world, setting("fleet", values={"k1": 0}, expected_nth=19))
        assert "20 changes and not 19" in said["overrides_changed"]
        assert "k0" in said["overrides_changed"]
        assert (await override(world, "fleet", values={"k1": 0}, expected_nth=20))["nth"] == 21
        told = [event.nth for event in world.events(OverridesChanged)]
        assert sorted(told) == sorted(set(told))


async def test_a_change_that_came_twice_is_one_and_one_that_changes_nothing_is_none(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, _):
        command = setting("fleet", values={"a": 1})
        first = await world.ask(command, message_id="same")
        again = await world.ask(command, message_id="same")
        assert (first.result, again.result) == ({"nth": 1, "changed": True}, {"nth": 1, "changed": True})
        assert await override(world, "fleet", values={"a": 1}) == {"nth": 1, "changed": False}
        assert await fleet.service.pool.fetchval("select count(*) from override_change") == 1


async def test_any_former_state_is_restored_and_that_is_a_change_itself(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, _):
        await override(world, "site", "oslo", values={"a": 1}, enabled=False)
        await override(world, "site", "oslo", values={"b": 2}, unset=("a",), clear_attributes=True)
        place = {"app": APP, "level": "site", "target": "oslo", "component": "web"}
        assert (await world.ask(ClearOverrides(**place), actor="bob")).result == {"nth": 3, "changed": True}
        assert (await world.ask(RestoreOverrides(**place, nth=1), actor="eve")).result == {"nth": 4, "changed": True}
        await world.until(OverridesChanged, lambda event: event.nth == 4)
        told = [(e.nth, e.values, e.enabled, e.by, e.reason) for e in world.events(OverridesChanged)]
        assert told == [
            (1, {"a": 1}, False, "ada", ""), (2, {"b": 2}, None, "ada", ""), (3, {}, None, "bob", ""),
            (4, {"a": 1}, False, "eve", "restored from change 1"),
        ]  # fmt: skip
        assert "unknown_change" in await refused(world, RestoreOverrides(**place, nth=9))
        assert await fleet.service.pool.fetchval("select count(*) from override_change") == 4


async def test_what_cannot_be_set_is_refused_with_every_reason(world: World) -> None:
    async with fleet_of(world) as (fleet, _):
        await fleet.release("1.0", simulated())
        await fleet.known(fleet.service)
        assert "unknown_app" in await refused(world, setting("fleet", values={"a": 1}, app="other"))
        assert "unknown_component" in await refused(world, setting("fleet", component="nope", values={"a": 1}))
        assert "unknown_site" in await refused(world, setting("site", "paris", values={"a": 1}))
        assert "unknown_group" in await refused(world, setting("group", "south", values={"a": 1}))
        assert "missing_field" in await refused(world, setting("fleet"))
        said = await refused(world, setting("fleet", values={"p": {"secret": "none"}}, unset=("x", "[0]")))
        assert {*said} == {"unknown_key", "invalid_field"}
        assert "unknown_secret" in await refused(world, setting("fleet", values={"p": {"secret": "none"}}))
        assert "knows no namespaces" in (await refused(world, setting("fleet", namespace="x")))["overrides_invalid"]
        assert await fleet.service.pool.fetchval("select count(*) from override_change") == 0


async def test_secrets_in_values_are_opened_in_memory_alone_and_hidden_everywhere(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, devices):
        clear = "correct horse battery staple"
        await put(world, "shop-db", clear)
        await override(world, "fleet", values={"db": {"password": {"secret": "shop-db"}}})
        done = await fleet.do("oslo", "apply", "1.0")
        assert devices.last["oslo"] == {"db": {"password": clear}}
        assert done.plan[0].values[0].after == '{"secret": "shop-db"}'
        in_use = await refused(world, RemoveSecret(name="shop-db"))
        assert "the fleet" in in_use["secret_in_use"]
        await world.ask(ClearOverrides(app=APP, level="fleet", component="web"))
        assert "secret_in_use" in await refused(world, RemoveSecret(name="shop-db"))  # the way back needs it
        await fleet.do("oslo", "apply", only_changes=True)
        assert isinstance(await world.ask(RemoveSecret(name="shop-db")), CommandAccepted)
        restore = RestoreOverrides(app=APP, level="fleet", component="web", nth=1)
        assert "unknown_secret" in await refused(world, restore)
        tables = ("operation", "deployment", "override", "override_change", "component_revision", "outbox")
        rows = [str(await fleet.service.pool.fetch(f"select * from {table}")) for table in tables]  # noqa: S608
        assert clear not in "".join(rows) + str(world.seen)


async def test_what_a_site_has_of_its_own_is_dropped_when_it_is_asked_or_the_release_says_so(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, devices):
        for site in ("oslo", "rome"):
            await override(world, "site", site, values={"a": 1}, enabled=True)
            await fleet.do(site, "apply", "1.0")
        await override(world, "fleet", values={"f": 1})
        await fleet.release("2.0", rules={"keep_overrides": False})
        await fleet.known(fleet.service)
        done = await fleet.do("oslo", "update", "2.0")
        assert devices.last["oslo"] == {"f": 1}
        assert done.plan[0].notices == ("the values set for this site alone will be dropped",)
        dropped = await world.until(OverridesChanged, lambda event: event.reason.startswith("dropped by"))
        assert (dropped.target, dropped.values, dropped.enabled, dropped.nth) == ("oslo", {}, True, 2)
        nothing = await fleet.do("oslo", "apply", only_changes=True)
        assert [way.action for way in nothing.plan] == ["keep"]
        await fleet.do("rome", "update", "2.0", reset_overrides=False)
        assert devices.last["rome"] == {"a": 1, "f": 1}
        await fleet.do("rome", "apply", only_changes=True, reset_overrides=True, reset_attributes=True)
        assert devices.last["rome"] == {"f": 1}


async def test_nothing_is_dropped_by_an_operation_that_fails(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, devices):
        await override(world, "site", "oslo", values={"a": 1})
        await fleet.do("oslo", "apply", "1.0")
        await fleet.release("2.0", simulated(sites={"oslo": "fail"}))
        await fleet.known(fleet.service)
        failed = await fleet.do("oslo", "update", "2.0", reset_overrides=True)
        assert isinstance(failed, OperationFailed)
        assert await fleet.service.pool.fetchval("select given from override") == {"a": 1}
        assert devices.last["oslo"] == {"a": 1}


async def test_keys_that_a_release_calls_obsolete_are_left_out_with_a_notice(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, devices):
        await override(world, "fleet", values={"old": {"key": 1}, "new": 2})
        await fleet.do("oslo", "apply", "1.0")
        await fleet.release("2.0", rules={"obsolete": {"web": ("old.key",)}})
        await fleet.known(fleet.service)
        done = await fleet.do("oslo", "update", "2.0")
        assert devices.last["oslo"] == {"new": 2}
        assert "`old.key` is set" in done.plan[0].notices[0]
        back = await fleet.do("oslo", "rollback")
        assert (back.plan[0].action, devices.last["oslo"]) == ("rollback", {"old": {"key": 1}, "new": 2})


async def test_a_preview_tells_what_would_change_in_values(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, _):
        await fleet.do("oslo", "apply", "1.0")
        await override(world, "site", "oslo", values={"a": [1]})
        answer = await fleet.answer("oslo", "apply", only_changes=True, preview=True)
        (way,) = answer.result["plan"]
        assert way["values"] == [{"path": "a", "before": None, "after": "[1]"}]
        assert await fleet.service.pool.fetchval("select count(*) from operation") == 1


async def test_what_is_set_for_sites_and_groups_that_go_is_forgotten_and_their_history_stays(world: World) -> None:
    async with fleet_of(world, "1.0") as (fleet, _):
        await override(world, "site", "oslo", values={"a": 1})
        await override(world, "group", "north", values={"a": 1})
        await fleet.forget("oslo")
        await fleet.tell(GroupDeleted(name="north"))
        for level in ("site", "group"):
            gone = await world.until(OverridesChanged, lambda e, level=level: e.level == level and e.nth == 2)
            assert (gone.values, gone.reason) == ({}, f"the {level} was removed")
        assert await fleet.service.pool.fetchval("select count(*) from override_change") == 4


async def test_a_deployer_killed_between_goes_on_with_the_same_values(world: World) -> None:
    devices, later = Keeping(), Keeping()
    async with ready(world, ["oslo"], [], drive=devices.before) as fleet:
        await fleet.release("1.0", simulated(seconds=(1, 1)))
        await fleet.known(fleet.service)
        await override(world, "fleet", values={"a": "then"})
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.begun(operation)
    async with world.run("deployer", deployer(drive=later.before)):
        done = await fleet.end(operation)
        assert isinstance(done, OperationSucceeded)
        assert {**devices.values, **later.values} == {f"{operation}/forward/web": {"a": "then"}}
