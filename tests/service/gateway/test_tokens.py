"""Tokens: the first one, how they are kept, and what deleting one means."""

import asyncio
import stat
from functools import partial

import pytest

from services.gateway.app import wire
from services.gateway.auth import tokens
from services.gateway.auth.tokens import _fits
from services.gateway.settings import GatewaySettings
from shared.process.service import build
from tests.service.gateway.api import gateway
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_replicas_that_start_together_make_one_first_token_that_only_its_owner_can_read(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wired = partial(wire, own=GatewaySettings(port=0, drain_seconds=0))
    services = await asyncio.gather(*(build("gateway", wired, world.settings("gateway", i)) for i in "123"))
    file = world.home / "admin.token"
    token = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = capsys.readouterr()
    assert str(file) in said.out + said.err
    assert token not in said.out + said.err
    (row,) = await services[0].pool.fetch("select hash from token")
    assert row["hash"].startswith("$argon2id$")
    assert token not in row["hash"]
    for service in services:
        service.pool.terminate()
    async with gateway(world) as api:
        assert await api.get("/v1/me") == {"name": "admin", "role": "admin"}
        assert file.read_text().strip() == token


async def test_a_deleted_token_opens_nothing_at_any_replica_and_the_last_admin_stays(world: World) -> None:
    async with gateway(world, "1") as one, gateway(world, "2", token_cache_seconds=0.2) as two:
        made = await one.ask("POST", "/v1/tokens", {"name": "ci", "role": "operator"})
        assert made.status == 201
        token, token_id = made.body["token"], made.body["id"]
        again = await two.ask("POST", "/v1/tokens", {"name": "ci", "role": "viewer"})
        assert (again.status, again.body["code"]) == (409, "token_exists")
        assert (await one.ask("GET", "/v1/me", token=token)).body == {"name": "ci", "role": "operator"}
        assert (await two.ask("GET", "/v1/me", token=token)).status == 200
        listed = await one.get("/v1/tokens")
        assert token not in str(listed)
        assert [item["name"] for item in listed["items"]] == ["admin", "ci"]
        assert (await one.ask("DELETE", f"/v1/tokens/{token_id}")).status == 200
        assert (await one.ask("GET", "/v1/me", token=token)).status == 401
        async with asyncio.timeout(5):
            while (await two.ask("GET", "/v1/me", token=token)).status == 200:
                pass
        assert (await one.ask("DELETE", f"/v1/tokens/{token_id}")).status == 404
        refused = await one.ask("DELETE", f"/v1/tokens/{listed['items'][0]['id']}")
        assert (refused.status, refused.body["code"]) == (409, "last_admin")
        audit = (await one.get("/v1/audit?actor=admin"))["items"]
        assert [entry["action"] for entry in audit] == ["delete_token", "create_token operator"]
        assert {entry["about"] for entry in audit} == {"ci"}


async def test_the_list_says_when_a_token_was_last_used_and_a_wrong_secret_is_no_use(world: World) -> None:
    async with gateway(world) as api:
        made = (await api.ask("POST", "/v1/tokens", {"name": "ci", "role": "viewer"})).body
        wrong = f"belay_{made['id']}_{'x' * 43}"
        assert (await api.ask("GET", "/v1/me", token=wrong)).status == 401
        used = {item["name"]: item["last_used_at"] for item in (await api.get("/v1/tokens"))["items"]}
        assert used["admin"] is not None
        assert used["ci"] is None
        assert (await api.ask("GET", "/v1/me", token=made["token"])).status == 200
        used = {item["name"]: item["last_used_at"] for item in (await api.get("/v1/tokens"))["items"]}
        assert used["ci"] is not None


async def test_a_verified_token_does_not_cost_a_hash_again(world: World) -> None:
    async with gateway(world) as api:
        await api.get("/v1/me")
        await api.service.pool.execute("update token set hash = 'broken'")
        assert (await api.ask("GET", "/v1/me")).status == 200


async def test_a_token_is_hashed_once_however_many_requests_come_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def fits(hashed: str, token: str) -> bool:
        runs.append(token)
        return _fits(hashed, token)

    monkeypatch.setattr(tokens, "_fits", fits)
    async with gateway(world, token_cache_seconds=0) as api:  # out of date as soon as it is verified
        many = await asyncio.gather(*(api.ask("GET", "/v1/me") for _ in range(50)))
        assert {reply.status for reply in many} == {200}
        assert len(runs) <= 2  # whoever came after the first was looked up asks for the row again, but hashes nothing
        assert (await api.ask("GET", "/v1/me")).status == 200
        assert len(runs) <= 2
        wrong = await asyncio.gather(*(api.ask("GET", "/v1/me", token=f"{api.token}x") for _ in range(20)))
        assert {reply.status for reply in wrong} == {401}
