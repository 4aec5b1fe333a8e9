"""A script of dcmanager's from its first call to its last, on real services and simulated sites."""

import pytest

from tests.service.gateway.doors.dcmanager_door import APP, STEPS, STRATEGY, DoorClient, everything
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
DEPLOY = f"{STRATEGY}?type=sw-deploy"
ACTIONS = f"{STRATEGY}/actions?type=sw-deploy"


async def through(door: DoorClient, action: str) -> str:
    return str((await door.made("POST", ACTIONS, {"action": action}))["state"])


async def test_a_deployment_is_created_applied_watched_and_deleted(world: World) -> None:
    async with everything(world) as door:
        await door.release("1.0.0")
        await door.release("2.0.0")
        await door.sites("a", "b", "c")
        asked = {"type": "sw-deploy", "release_id": f"{APP}-2.0.0", "max-parallel-subclouds": 2, "extra": 1}
        reply = await door.ask("POST", f"{STRATEGY}/", asked)
        assert (reply.status, reply.headers["X-Belay-Ignored"]) == (200, "extra")
        made = reply.body
        assert made.items() >= {"id": 1, "type": "sw-deploy", "state": "initial", "stop-on-failure": False}.items()
        assert (made["max-parallel-subclouds"], made["updated-at"]) == (2, None)
        assert made["extra-args"]["release_id"] == "2.0.0"
        waiting = (await door.get(STEPS))["strategy-steps"]
        assert [(s["cloud"], s["stage"], s["state"]) for s in waiting] == [(n, "Create", "initial") for n in "abc"]
        again = await door.ask("POST", STRATEGY, asked)
        assert again.status == 422
        assert "Strategy of type: 'sw-deploy' already exists" in again.body
        assert await through(door, "apply") == "applying"
        ended = await door.shows(DEPLOY, lambda strategy: strategy["state"] == "complete")
        assert ended["updated-at"] is not None
        done = await door.get(f"{STEPS}/b")
        assert (done["stage"], done["state"], done["details"]) == ("Complete", "complete", "")
        assert done["started-at"] <= done["finished-at"]
        late = await door.ask("POST", ACTIONS, {"action": "abort"})
        assert late.status == 422
        assert "Strategy in state complete cannot be aborted" in late.body
        assert (await door.made("DELETE", DEPLOY))["state"] == "deleting"
        assert (await door.ask("GET", DEPLOY)).status == 404
        assert await door.get(STEPS) == {"strategy-steps": []}
