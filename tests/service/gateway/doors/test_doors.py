"""Doors are open beside the API: under its limits, with its figures, and closed with it, when all are answered."""

import asyncio
import socket
from itertools import product

import aiohttp
import pytest
from aiohttp import web

from services.gateway.doors.dcmanager.door import door as dcmanager
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.serving import DOORS, Doors
from services.gateway.doors.sysinv.door import door as sysinv
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.doors.table import doors_that_are_on
from services.gateway.http.problems import problems
from services.gateway.http.routing import GATEWAY
from shared.messages.strategy import CreateGroup, GroupChanged
from tests.service.gateway.api import gateway
from tests.service.gateway.doors.dcmanager_door import DoorClient, only_the_door
from tests.service.gateway.line import once
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service
GROUPS = "/v1.0/subcloud-groups"
NORTH = {"name": "north", "description": "x", "update_apply_type": "parallel", "max_parallel_subclouds": 3}


async def sent(door: DoorClient) -> str:
    """The id of the command that a request became."""
    async with patience(20):
        while not (found := [e for e in door.api.world.seen if isinstance(e.data, CreateGroup)]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found[0].id


async def until_closed(url: str) -> None:
    """Until nobody comes in any more; those that are connected already are let be."""
    async with patience(20):
        while True:
            try:
                async with aiohttp.ClientSession() as other:
                    await other.get(url)
            except aiohttp.ClientConnectionError:
                return
            await asyncio.sleep(0.02)


def test_no_door_is_open_unless_a_port_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BELAY_DOOR_DCMANAGER_PORT", raising=False)
    assert doors_that_are_on() == ()
    monkeypatch.setenv("BELAY_DOOR_DCMANAGER_PORT", "")
    assert doors_that_are_on() == ()
    monkeypatch.setenv("BELAY_DOOR_DCMANAGER_PORT", "8119")
    assert [(door.name, door.port) for door in doors_that_are_on()] == [("dcmanager", 8119)]


HOSTS = ("x:y", "x:99999", "", "[::1", 'x"y', "a b", "é", "\udcff", "x/y", "user@x")
"""None is a host; clients that find doors by Keystone's catalog would be sent there."""


async def test_a_host_that_is_none_is_refused_before_anything_else(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    doors = [dcmanager(DcmanagerSettings(port=0, app="platform")), sysinv(SysinvSettings(port=0, site="oslo"))]
    async with gateway(world, doors=[door for door in doors if door]) as api:
        assert api.service.http is not None
        ports = api.service.http[DOORS].ports
        places = [
            (f"http://127.0.0.1:{ports[name]}", path) for name in ports for path in ("/v3", "/v3/auth/catalog", "/")
        ]
        for url, path in [*places, (api.url, "/v1/me"), (api.url, "/")]:
            for host, headers in product(HOSTS, ((), ("Authorization: none",), (f"X-Auth-Token: {api.token}",))):
                said = await once(api, f"GET {path}", f"Host: {host}", *headers, url=url)
                assert (said.status, b"Host" in said.body) == (400, True), (path, host, said.body)
            for host in ("x", "a_b:80", "[::1]:8080", "127.0.0.1", "xn--9ca.example."):
                assert (await once(api, f"GET {path}", f"Host: {host}", url=url)).status != 400
    assert "Traceback" not in capsys.readouterr().out


async def test_an_owner_that_does_not_answer_is_told_and_not_waited_for(world: World) -> None:
    async with only_the_door(world, answer_seconds=0.2) as door:
        refused = await door.ask("POST", GROUPS, NORTH)
        assert (refused.status, "no answer yet" in refused.body) == (503, True)


async def test_a_request_that_waits_is_answered_before_the_gateway_stops(world: World) -> None:
    async with only_the_door(world) as door:
        waits = asyncio.create_task(door.ask("POST", GROUPS, NORTH))
        command = await sent(door)
        assert door.api.service.http is not None
        stopping = asyncio.create_task(door.api.service.http.shutdown())
        await until_closed(door.url)
        await door.api.accept(CreateGroup, command, group="north")
        told = GroupChanged(name="north", description="x", apply_type="parallel", max_parallel=3)
        await world.send(told, sequence=1)
        assert (await waits).body["name"] == "north"
        await stopping


async def test_requests_at_a_door_count_among_those_of_the_api_and_are_measured(world: World) -> None:
    async with only_the_door(world, requests=1) as door:
        waits = asyncio.create_task(door.ask("POST", GROUPS, NORTH))
        command = await sent(door)
        shed = await door.ask("GET", GROUPS, Accept="application/json")
        assert (shed.status, shed.body["title"], shed.headers["Retry-After"]) == (503, "Service Unavailable", "1")
        assert (await door.api.ask("GET", "/v1/groups")).status == 503
        await door.api.accept(CreateGroup, command, group="north")
        await world.send(GroupChanged(name="north", description="x", apply_type="parallel", max_parallel=3), sequence=1)
        assert (await waits).status == 200
        figures = (await door.api.ask("GET", "/metrics")).body.decode()
        assert f'route="{GROUPS}' in figures


async def test_replicas_on_one_machine_share_the_port_and_a_foreign_program_on_it_is_told_of(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with only_the_door(world, port=port), only_the_door(world, instance="2", port=port) as second:
        assert [second.api.service.http[DOORS].ports] == [{"dcmanager": port}]  # type: ignore[index]


async def test_a_port_that_a_foreign_program_has_is_told_of(world: World) -> None:
    async with only_the_door(world) as door:
        assert door.api.service.http is not None
        with socket.socket() as foreign:
            foreign.bind(("127.0.0.1", 0))
            foreign.listen()
            taken = dcmanager(DcmanagerSettings(port=foreign.getsockname()[1]))
            assert taken is not None
            beside = web.Application()
            Doors([taken], door.api.service.http[GATEWAY], problems, problems).beside(beside)
            with pytest.raises(OSError, match="address already in use"):
                await web.AppRunner(beside).setup()
