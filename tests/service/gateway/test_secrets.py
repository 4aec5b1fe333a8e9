"""Secrets at the API: they come in, are sealed at once, and never come out again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.messages.base import ErrorCode, Fault
from shared.messages.deployer import DeployerKeyReported, RemoveSecret, SecretChanged, SecretRemoved, SetSecret
from shared.sealing import KeyPair
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import at, sites_changed
from tests.support.world import World

pytestmark = pytest.mark.service
CLEAR = "correct horse battery staple"


async def deployers_key(api: Api, home: Path) -> KeyPair:
    """The key that a deployer on another machine, with a home of its own, has told of."""
    keys = KeyPair.of(home / "elsewhere", "deployer")
    await api.world.send(DeployerKeyReported(key_id=keys.id, public_key=keys.public))
    await api.until_written("select count(*) = 1 from sealing_key")
    return keys


def changed(name: str, version: int, **more: Any) -> SecretChanged:
    return SecretChanged(name=name, version=version, at=at(version), by="ada", **more)


async def test_a_value_leaves_the_gateway_sealed_and_stands_in_clear_nowhere(world: World, capsys: Any) -> None:
    now = {"Idempotency_Key": "put-1", "Prefer": "respond-async"}
    async with gateway(world) as api:
        early = await api.ask("PUT", "/v1/secrets/oslo", {"value": CLEAR})
        assert (early.status, early.headers["Retry-After"]) == (503, "1"), "no key to seal it to, yet"
        keys = await deployers_key(api, world.home)
        for _ in range(2):
            assert (await api.ask("PUT", "/v1/secrets/oslo", {"value": CLEAR}, **now)).status == 202
        other = await api.ask("PUT", "/v1/secrets/oslo", {"value": CLEAR + "!"}, **now)
        assert (other.status, other.body["code"]) == (409, "command_id_reused")
        command = await api.command(SetSecret, "put-1")
        assert keys.open(command.data.sealed).decode() == CLEAR
        told = [f"{e.data.model_dump_json()}{e}" for e in world.seen]
        stored = await api.service.pool.fetchval("select string_agg(c::text, '') from command c")
        audited = (await api.get("/v1/audit"))["items"]
        assert {(entry["action"], entry["about"]) for entry in audited} == {(SetSecret.TYPE, "oslo")}
        assert CLEAR not in "".join(told) + stored + str(audited)
    assert CLEAR not in capsys.readouterr().out


async def test_secrets_are_listed_with_version_author_and_users_and_without_values(world: World) -> None:
    async with gateway(world) as api:
        await world.send(changed("oslo", 1), sequence=1)
        await world.send(changed("bonn", 1), sequence=1)
        await world.send(changed("oslo", 2), sequence=2)
        await world.send(changed("oslo", 1), sequence=1)  # told again
        await world.send(sites_changed("a", "b", params={"password": {"secret": "oslo"}}), sequence=1)
        path = "/v1/secrets"
        shown = await api.shows(
            path, lambda d: [(i["name"], i["sites"]) for i in d["items"]] == [("bonn", 0), ("oslo", 2)]
        )
        bonn, oslo = shown["items"]
        assert (oslo["version"], oslo["set_by"], datetime.fromisoformat(oslo["set_at"])) == (2, "ada", at(2))
        assert (bonn["actions"], oslo["actions"]) == (["set", "remove"], ["set"])
        assert set(oslo) == {"name", "version", "set_at", "set_by", "sites", "actions"}
        assert await api.get(f"{path}/oslo") == oslo
        await world.send(SecretRemoved(name="bonn", at=datetime.now(UTC), by="ada"), sequence=2)
        await api.shows(path, lambda d: [i["name"] for i in d["items"]] == ["oslo"])
        assert (await api.ask("GET", f"{path}/bonn")).status == 404


async def test_a_refused_removal_names_the_sites(world: World) -> None:
    async with gateway(world) as api:
        now = {"Idempotency_Key": "remove-1", "Prefer": "respond-async"}
        assert (await api.ask("DELETE", "/v1/secrets/oslo", **now)).status == 202
        used = Fault(code="secret_in_use", field="name", message="site 'a' names the secret 'oslo'", value="a")
        await api.reject(RemoveSecret, "remove-1", used)
        refused = await api.shows("/v1/commands/remove-1", lambda c: c["state"] == "rejected")
        assert refused["faults"][0]["value"] == "a"
        again = await api.ask("DELETE", "/v1/secrets/oslo", Idempotency_Key="remove-1")
        assert (again.status, again.codes) == (409, {("name", "secret_in_use")})


@pytest.mark.parametrize(
    ("name", "body", "status", "codes"),
    [
        ("oslo", {}, 422, {("value", ErrorCode.MISSING_FIELD)}),
        ("oslo", {"value": "abc"}, 422, {("value", ErrorCode.INVALID_FIELD)}),
        ("oslo", {"value": 12345678}, 422, {("value", ErrorCode.INVALID_FIELD)}),
        ("oslo", {"Value": CLEAR}, 422, {("Value", ErrorCode.UNKNOWN_FIELD), ("value", ErrorCode.MISSING_FIELD)}),
        ("oslo", {"value": CLEAR + "\x00"}, 422, {("value", ErrorCode.INVALID_FIELD)}),
        ("Oslo!", {"value": CLEAR}, 422, {("name", ErrorCode.INVALID_FIELD)}),
        ("oslo", {"value": "x" * 65_536}, 413, set()),
    ],
)
async def test_what_cannot_be_a_secret_is_refused_with_every_fault_and_repeated_to_nobody(
    world: World, name: str, body: Any, status: int, codes: set[tuple[str, str]]
) -> None:
    async with gateway(world) as api:
        await deployers_key(api, world.home)
        refused = await api.ask("PUT", f"/v1/secrets/{name}", body)
        assert (refused.status, refused.codes) == (status, codes)
        assert all(fault["value"] in (None, name) for fault in refused.body["faults"])
        assert CLEAR not in str(refused.body)


async def test_a_viewer_sees_secrets_and_sets_none(world: World) -> None:
    async with gateway(world) as api:
        await world.send(changed("oslo", 1), sequence=1)
        await api.shows("/v1/secrets/oslo", lambda s: s["version"] == 1)
        token = (await api.ask("POST", "/v1/tokens", {"name": "eve", "role": "viewer"})).body["token"]
        assert (await api.ask("GET", "/v1/secrets/oslo", token=token)).body["actions"] == []
        for method, body in (("PUT", {"value": CLEAR}), ("DELETE", None)):
            assert (await api.ask(method, "/v1/secrets/oslo", body, token=token)).status == 403
