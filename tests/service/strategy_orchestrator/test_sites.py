"""Sites are registered whole and changed fact by fact; their names are those of the field."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.strategy_orchestrator.app import wire
from shared.messages.base import CommandRejected, faults_of
from shared.messages.deployer import HostReported
from shared.messages.strategy import (
    ApplyStrategy,
    ChangeSites,
    CommandAccepted,
    CreateGroup,
    CreateStrategy,
    DeleteStrategy,
    RegisterSites,
    Site,
    SitesChanged,
)
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, spec
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
SIMULATED: dict[str, dict[str, Any]] = {"simulated": {}}
FIELD_NAMES = ("SN-00A7", "00:1B:44:11:3A:B7", "core-1.dc2.example.com", "a")


def change(**facts: Any) -> ChangeSites:
    return ChangeSites.model_validate(facts)


async def accepted(world: World, command: Any) -> CommandAccepted:
    answer = await world.ask(command)
    assert isinstance(answer, CommandAccepted), answer
    return answer


async def faults(world: World, command: Any, message_id: str | None = None) -> list[tuple[str, str]]:
    answer = await world.ask(command, message_id=message_id) if message_id else await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return [(fault.code, fault.field) for fault in answer.faults]


async def test_a_change_leaves_alone_what_it_does_not_name(world: World) -> None:
    async with world.run(NAME, wire):
        await accepted(world, CreateGroup(name="north"))
        labels, facts = {"tier": "gold", "old": "x"}, {"kubernetes": "1.29.2", "patches": "P1"}
        site = Site(name="oslo", group="north", labels=labels, connections={"process": {"port": 1}}, facts=facts)
        await accepted(world, RegisterSites(sites=(site,)))
        more = {"facts": {"kubernetes": "1.30.0"}, "unset_facts": ["patches"]}
        await accepted(
            world, change(selection={"sites": ["oslo"]}, managed=False, labels={"zone": "a"}, unlabel=["old"], **more)
        )
        told = await world.until(SitesChanged, lambda e: not e.sites[0].managed)
        now = {"managed": False, "labels": {"tier": "gold", "zone": "a"}, "facts": {"kubernetes": "1.30.0"}}
        assert told.sites == (site.model_copy(update=now),)


@pytest.mark.parametrize(
    ("changed", "connections"),
    [
        ({"connections": {"copy": {"root": "/b"}, "helm": {}}}, {"copy": {"root": "/b", "keep": 1}, "helm": {}}),
        ({"disconnect": ["copy"], "connections": {"helm": {"context": "x"}}}, {"helm": {"context": "x"}}),
        ({"params": {"root": "/c"}, "unset_params": ["keep"]}, {"copy": {"root": "/c"}}),
        ({"driver": "helm"}, {"helm": {"root": "/a", "keep": 1}}),
        ({"driver": "copy", "params": {"keep": 2}}, {"copy": {"root": "/a", "keep": 2}}),
        ({"disconnect": ["copy"]}, {}),
    ],
)
async def test_connections_are_added_changed_key_by_key_and_taken_away(
    world: World, changed: dict[str, Any], connections: dict[str, Any]
) -> None:
    async with world.run(NAME, wire):
        await accepted(
            world, RegisterSites(sites=(Site(name="oslo", connections={"copy": {"root": "/a", "keep": 1}}),))
        )
        await accepted(world, change(selection={"sites": ["oslo"]}, simplex=True, **changed))
        told = await world.until(SitesChanged, lambda e: e.sites[0].simplex)
        assert told.sites[0].connections == connections


async def test_all_sites_of_a_selection_change_together_or_none(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, CreateGroup(name="north"))
        fleet = [
            Site(name=f"s-{n}", connections=SIMULATED, group="north" if n % 2 else None, labels={"tier": "gold"})
            for n in range(6)
        ]
        await accepted(world, RegisterSites(sites=tuple(fleet)))
        chosen = {"groups": ["north"], "labels": {"tier": "gold"}, "exclude": {"sites": ["s-1"]}}
        answer = await accepted(world, change(selection=chosen, ungroup=True, simplex=True))
        assert answer.result == {"sites": 2}
        simplex = await service.pool.fetch("select name from site where simplex and group_name is null order by name")
        assert [row["name"] for row in simplex] == ["s-3", "s-5"]
        assert await service.pool.fetchval("select sites from site_group") == 1
        wrong = change(selection={"sites": ["s-0", "nowhere"]}, group="nobody", managed=False)
        assert await faults(world, wrong) == [("unknown_group", "group"), ("unknown_site", "selection.sites.1")]
        assert await faults(world, change(selection={}, managed=False)) == [("empty_selection", "selection")]
        assert await service.pool.fetchval("select count(*) from site where not managed") == 0


async def test_sites_go_by_serial_numbers_mac_addresses_and_host_names(world: World) -> None:
    await publish(world)
    devices = Devices(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await accepted(
            world, RegisterSites(sites=tuple(Site(name=name, connections=SIMULATED) for name in FIELD_NAMES))
        )
        await accepted(world, CreateStrategy(spec=spec(max_parallel=10)))
        await accepted(world, ApplyStrategy(strategy="first"))
        async with world.news:
            await world.news.wait_for(lambda: len(devices.commands) == len(FIELD_NAMES))
        assert {c.site for c in devices.commands.values()} == set(FIELD_NAMES)
    await devices.stop()


async def test_two_names_that_differ_only_in_case_are_refused_with_the_one_that_is_there(world: World) -> None:
    async with world.run(NAME, wire):
        await accepted(world, RegisterSites(sites=(Site(name="Oslo-1", connections=SIMULATED),)))
        answer = await world.ask(
            RegisterSites(
                sites=(
                    Site(name="oslo-1", connections=SIMULATED),
                    Site(name="x", connections=SIMULATED),
                    Site(name="X", connections=SIMULATED),
                )
            )
        )
        assert isinstance(answer, CommandRejected)
        assert [(f.code, f.field) for f in answer.faults] == [
            ("site_exists", "sites.0.name"),
            ("site_exists", "sites.2.name"),
        ]
        assert "'Oslo-1'" in answer.faults[0].message
        await accepted(world, RegisterSites(sites=(Site(name="Oslo-1", connections=SIMULATED, managed=False),)))


@pytest.mark.parametrize("name", ["..", "a/b", "-x", "x:", "", "a b", "ö", "x" * 101])
def test_names_that_lead_elsewhere_stay_refused_in_words(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Site(name=name)
    (fault,) = faults_of(refused.value)
    assert "such as oslo-1 or 00:1B:44:11:3A:B7" in fault.message
    assert "^" not in fault.message


async def test_names_and_ids_of_strategies_are_never_taken_for_each_other(world: World) -> None:
    await publish(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await accepted(
            world,
            RegisterSites(sites=(Site(name="a", connections=SIMULATED), Site(name="b", connections=SIMULATED))),
        )
        await world.ask(CreateStrategy(spec=spec(name="nightly")), message_id="nightly")
        other = CreateStrategy(spec=spec(name="weekly"))
        await world.ask(other, message_id="w-1")
        third = CreateStrategy(spec=spec(name="w-1"))
        assert await faults(world, third) == [("strategy_exists", "spec.name")]
        fourth = CreateStrategy(spec=spec(name="monthly"))
        assert await faults(world, fourth, message_id="weekly") == [("strategy_exists", "ce_id")]
        await accepted(world, DeleteStrategy(strategy="nightly"))
        again = await accepted(world, CreateStrategy(spec=spec(name="nightly")))
        applied = await accepted(world, ApplyStrategy(strategy="nightly"))
        assert applied.result["strategy_id"] == again.result["strategy_id"] != "nightly"


async def test_what_500_sites_say_is_told_in_as_many_parts_as_it_needs(world: World) -> None:
    labels = {f"{n:02}".ljust(200, "x"): "y" * 200 for n in range(20)}
    sites = tuple(Site(name=f"s-{n}", connections=SIMULATED, labels=labels) for n in range(500))
    async with world.run(NAME, wire):
        await accepted(world, RegisterSites(sites=sites))
        await world.until(SitesChanged, lambda e: e.sites[-1].name == "s-499")
        assert [site for event in world.events(SitesChanged) for site in event.sites] == list(sites)
        await accepted(world, change(selection={"all": True}, managed=False))


async def test_what_looks_like_a_reference_to_a_secret_and_is_none_is_refused_with_every_fault(world: World) -> None:
    wrong = {"process": {"password": {"secret": "No"}}, "simulated": {"hops": [{"key": {"secret": "a", "user": "b"}}]}}
    sound = {"process": {"password": {"secret": "oslo"}, "secret": "no reference"}}
    async with world.run(NAME, wire):
        sites = (Site(name="oslo", connections=sound), Site(name="rome", group="none", connections=wrong))
        assert await faults(world, RegisterSites(sites=sites)) == [
            ("unknown_group", "sites.1.group"),
            ("invalid_field", "sites.1.connections.process.password.secret"),
            ("invalid_field", "sites.1.connections.simulated.hops.0.key"),
        ]
        await accepted(world, RegisterSites(sites=sites[:1]))
        asked = change(selection={"sites": ["oslo", "rome"]}, connections=wrong, params={"token": {"secret": 5}})
        assert await faults(world, asked) == [
            ("invalid_field", "connections.process.password.secret"),
            ("invalid_field", "connections.simulated.hops.0.key"),
            ("invalid_field", "params.token.secret"),
            ("unknown_site", "selection.sites.1"),
        ]


async def reported(world: World, host: str, *drivers: str) -> None:
    """What the host of a deployer has."""
    event = HostReported(host=host, environment={}, abis=("x",), platforms=("y",), drivers=drivers)
    await world.send(event)


async def test_a_driver_that_no_deployer_has_is_a_warning_and_the_site_is_there_all_the_same(world: World) -> None:
    async with world.run(NAME, wire) as service:

        async def register(*names: str, driver: str) -> list[str]:
            sites = tuple(Site(name=name, connections={driver: {}}) for name in names)
            result = (await accepted(world, RegisterSites(sites=sites))).result
            assert result["sites"] == len(names)
            return list(result.get("warnings", ()))

        assert await register("oslo", driver="heml") == [], "nobody has said what there is"
        await reported(world, "one", "ansible", "process")
        await reported(world, "two", "helm", "process")
        await until_so(lambda: _hosts(service, 2))
        assert await register("oslo", driver="helm") == []
        (warning,) = await register("a", "b", "c", "d", "e", driver="heml")
        assert warning == (
            "no deployer has the driver 'heml', which is to reach a, b, c and 2 more; they have ansible, helm, process"
        )
        named = change(selection={"sites": ["oslo"]}, connections={"anisble": {"host": "h"}})
        (warning,) = (await accepted(world, named)).result["warnings"]
        assert "'anisble', which is to reach oslo" in warning
        assert "warnings" not in (await accepted(world, change(selection={"sites": ["a"]}, managed=False))).result
        await service.pool.execute("update deployer_host set at = at - interval '4 days' where host = 'two'")
        assert len(await register("oslo", driver="helm")) == 1, "the host that had it is gone"
        await reported(world, "older")
        await until_so(lambda: _hosts(service, 3))
        assert await register("rome", driver="heml") == [], "one does not say what it has"


async def _hosts(service: Service, count: int) -> bool:
    known: int = await service.pool.fetchval("select count(*) from deployer_host")
    return known == count
