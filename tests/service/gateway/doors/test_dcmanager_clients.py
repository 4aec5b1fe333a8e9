"""The library by which all command lines of OpenStack log in, at the dcmanager door; and a door at two replicas."""

import asyncio
from typing import Any

import pytest
from keystoneauth1 import session as sessions
from keystoneauth1.exceptions import NotFound, Unauthorized
from keystoneauth1.identity import generic

from tests.service.gateway.doors.dcmanager_door import APP, STRATEGY, DoorClient, everything, only_the_door
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
AS_ADMIN = {"project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default"}
DCMANAGER = {"service_type": "dcmanager", "interface": "internalURL"}


def logged_in(door: DoorClient, path: str, **how: Any) -> sessions.Session:
    return sessions.Session(auth=generic.Password(auth_url=door.url + path, **{**AS_ADMIN, **how}))


@pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/"])
async def test_it_finds_the_door_by_the_catalog_and_calls_it(world: World, path: str) -> None:
    async with only_the_door(world) as door:
        session = logged_in(door, path, username="admin", password=door.api.token)

        def calls() -> Any:
            assert session.get_endpoint(**DCMANAGER) == f"{door.url}/v1.0"
            assert (session.get_token(), session.get_user_id()) == (door.api.token, door.api.token.split("_")[1])
            return session.get("/subclouds/", endpoint_filter={**DCMANAGER, "region_name": "RegionOne"}).json()

        assert await asyncio.to_thread(calls) == {"subclouds": []}


async def test_it_logs_in_with_a_token_and_is_told_what_it_understands_when_it_may_not(world: World) -> None:
    async with only_the_door(world) as door:
        own = {key: value for key, value in AS_ADMIN.items() if key != "user_domain_name"}
        by_token = sessions.Session(auth=generic.Token(auth_url=f"{door.url}/v3", token=door.api.token, **own))
        wrong = logged_in(door, "/v3", username="bob", password=door.api.token)

        def calls() -> None:
            with pytest.raises(NotFound):
                by_token.get("/sw-update-strategy", endpoint_filter=DCMANAGER)
            with pytest.raises(Unauthorized, match="the name of a Belay token"):
                wrong.get_token()

        await asyncio.to_thread(calls)


async def test_two_that_ask_for_a_strategy_at_the_same_moment_get_one(world: World) -> None:
    async with everything(world) as door:
        await door.release("1.0.0")
        await door.release("2.0.0")
        await door.sites("a", "b")
        asked = {"type": "sw-deploy", "release_id": f"{APP}-2.0.0"}
        replies = await asyncio.gather(*(door.ask("POST", STRATEGY, asked) for _ in range(4)))
        assert sorted(reply.status for reply in replies) == [200, 422, 422, 422]
        assert all("already exists" in reply.body for reply in replies if reply.status == 422)
        applied = await asyncio.gather(
            *(door.ask("POST", f"{STRATEGY}/actions", {"action": "apply"}) for _ in range(4))
        )
        assert sorted(reply.status for reply in applied) == [200, 422, 422, 422]
        await door.shows(STRATEGY, lambda strategy: strategy["state"] == "complete")


async def test_numbers_are_the_same_at_every_replica_and_after_a_restart(world: World) -> None:
    async with everything(world) as door:
        await door.sites("b", "c", running=None)
        assert [one["id"] for one in (await door.get("/v1.0/subclouds"))["subclouds"]] == [1, 2]
        async with only_the_door(world, instance="2") as other:
            await door.sites("a", running=None)
            listed = [one.get("/v1.0/subclouds") for one in (door, other)]
            first, second = (
                {s["name"]: s["id"] for s in found["subclouds"]} for found in await asyncio.gather(*listed)
            )
            assert first == second == {"a": 3, "b": 1, "c": 2}
    async with only_the_door(world) as again:
        assert {s["name"]: s["id"] for s in (await again.get("/v1.0/subclouds"))["subclouds"]} == first
