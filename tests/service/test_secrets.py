"""A secret's whole way: from a request to the driver that needs it, and into nothing that anybody else reads."""

import asyncio
from typing import Any

import pytest

from services.strategy_orchestrator.app import wire as orchestrator
from shared.messages.deployer import DeployerKeyReported
from shared.sealing import KeyPair
from tests.service.deployer.fleet import APP, Fleet, deployer
from tests.service.deployer.test_opened_secrets import Talkative, everything
from tests.service.gateway.api import Api, gateway
from tests.support.components import simulated
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service
CLEAR, NEWER = "correct-horse-battery", "staple-for-the-horse"


async def taken(api: Api, method: str, path: str, body: Any = None) -> dict[str, Any]:
    reply = await api.ask(method, path, body)
    assert reply.status == 202, reply.body
    assert reply.body["state"] == "accepted"
    return dict(reply.body)


async def ended(api: Api, kind: str, version: str | None = None) -> dict[str, Any]:
    """An operation on the site, once it has ended."""
    asked = {"site": "oslo", "app": APP, "kind": kind} | ({"version": version} if version else {})
    sent = await taken(api, "POST", "/v1/operations", asked)
    path = f"/v1/operations/{sent['command_id']}"
    return dict(await api.shows(path, lambda operation: operation["state"] in ("succeeded", "failed")))


async def test_what_comes_in_by_the_api_reaches_the_driver_and_is_read_nowhere_else(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    devices, fleet = Talkative(world.home / "devices"), Fleet(world)
    await fleet.release("1.0")
    await fleet.release("2.0", simulated(sites={"oslo": "fail"}))
    async with (
        world.run("deployer", deployer(devices.before)) as owner,
        world.run("strategy_orchestrator", orchestrator),
        gateway(world) as api,
    ):
        keys = KeyPair.of(world.home, "deployer")
        await world.send(DeployerKeyReported(key_id=keys.id, public_key=keys.public))
        await api.until_written("select count(*) = 1 from sealing_key")
        connections = {"simulated": {"user": "ada", "password": {"secret": "oslo"}}}
        await taken(api, "PUT", "/v1/secrets/oslo", {"value": CLEAR})
        await taken(api, "POST", "/v1/sites", {"sites": [{"name": "oslo", "connections": connections}]})
        await api.shows("/v1/secrets/oslo", lambda secret: secret["sites"] == 1)
        await api.shows("/v1/apps", lambda apps: bool(apps["items"]))
        assert (await ended(api, "apply", "1.0"))["state"] == "succeeded"
        rotated = await taken(api, "PUT", "/v1/secrets/oslo", {"value": NEWER})
        assert rotated["result"]["version"] == 2
        failed = await ended(api, "update", "2.0")
        assert any("login ***" in line for line in failed["last_lines"])
        assert [value for _, _, value in devices.given if value not in (CLEAR, NEWER)] == []
        assert {CLEAR, NEWER} == {value for _, _, value in devices.given}
        refused = await api.ask("DELETE", "/v1/secrets/oslo")
        assert (refused.status, refused.body["faults"][0]["value"]) == (409, "oslo")
        await taken(api, "PATCH", "/v1/sites/oslo", {"connections": {"simulated": {"password": "none"}}})
        await api.shows("/v1/secrets/oslo", lambda secret: "remove" in secret["actions"])
        async with patience(20):  # the deployer reads of sites at its own pace
            while await owner.pool.fetchval("select secrets <> '{}' from site"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await taken(api, "DELETE", "/v1/secrets/oslo")
        told = await everything(world) + "".join(capsys.readouterr())
        assert "login ***" in told
        for clear in (CLEAR, NEWER):
            assert clear not in told
