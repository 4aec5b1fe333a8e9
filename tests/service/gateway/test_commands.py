"""Commands over HTTP: sent once, answered by their owner, audited."""

import asyncio

import pytest

from shared.messages.base import Fault
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import CreateGroup, GroupChanged, PauseStrategy, UpdateGroup
from tests.service.gateway.api import gateway
from tests.support.world import World

pytestmark = pytest.mark.service

OPERATION = {"site": "oslo-1", "app": "web", "kind": "update", "version": "2.0"}
CONFLICTS = [
    (code, 409)
    for code in (
        "wrong_state", "group_exists", "group_not_empty", "already_finished", "already_current", "nothing_deployed",
        "no_previous_release", "site_busy", "site_held",
    )
]  # fmt: skip


def group(name: str) -> GroupChanged:
    return GroupChanged(name=name, description="", apply_type="parallel", max_parallel=2)


async def test_a_command_answers_with_what_its_owner_says(world: World) -> None:
    async with gateway(world) as api:
        asked = asyncio.create_task(api.ask("POST", "/v1/groups", {"name": "north"}, Idempotency_Key="g-1"))
        await api.accept(CreateGroup, "g-1", group="north")
        await world.send(group("north"), sequence=1)
        reply = await asked
        assert reply.status == 202
        assert reply.body == {"command_id": "g-1", "state": "accepted", "result": {"group": "north"}}
        assert (await api.get("/v1/groups/north"))["max_parallel"] == 2
        sent = await api.command(CreateGroup, "g-1")
        assert sent.actor == "admin"


async def test_a_refusal_names_every_fault_and_has_the_status_of_its_code(world: World) -> None:
    async with gateway(world) as api:
        for number, (code, status) in enumerate([("unknown_strategy", 404), ("not_upgradable", 422), *CONFLICTS]):
            key = f"p-{number}"
            asked = asyncio.create_task(api.ask("POST", "/v1/strategies/s/pause", {}, Idempotency_Key=key))
            second = Fault(code="other", field="b", message="and this too")
            await api.reject(PauseStrategy, key, Fault(code=code, field="strategy", message="no"), second)
            reply = await asked
            assert (reply.status, reply.body["code"]) == (status, code)
            assert reply.headers["Content-Type"].startswith("application/problem+json")
            assert reply.codes == {("strategy", code), ("b", "other")}


async def test_a_command_that_nobody_answers_is_reported_as_sent_and_can_be_asked_for_later(world: World) -> None:
    async with gateway(world) as api:
        reply = await api.ask("POST", "/v1/strategies/s/pause", Idempotency_Key="p-1", Prefer="respond-async")
        assert (reply.status, reply.body["state"]) == (202, "sent")
        assert reply.headers["Location"] == "/v1/commands/p-1"
        assert (await api.get("/v1/commands/p-1"))["state"] == "sent"
        await api.accept(PauseStrategy, "p-1")
        found = await api.shows("/v1/commands/p-1", lambda body: body["state"] == "accepted")
        assert (found["actor"], found["type"]) == ("admin", PauseStrategy.TYPE)


async def test_the_same_command_sent_again_has_one_effect_and_the_same_answer(world: World) -> None:
    async with gateway(world) as api:
        bodies = [{"name": "north", "max_parallel": 5}, {"max_parallel": 5, "name": "north"}] * 3
        asked = [asyncio.create_task(api.ask("POST", "/v1/groups", b, Idempotency_Key="g-1")) for b in bodies]
        await api.accept(CreateGroup, "g-1", group="north")
        await world.send(group("north"), sequence=1)
        replies = [await task for task in asked]
        replies.append(await api.ask("POST", "/v1/groups", bodies[0], Idempotency_Key="g-1"))
        assert [reply.body for reply in replies] == [replies[0].body] * 7
        other = await api.ask("POST", "/v1/groups", {"name": "south"}, Idempotency_Key="g-1")
        assert (other.status, other.body["code"]) == (409, "command_id_reused")
        await api.ask("PATCH", "/v1/groups/north", {"max_parallel": 3}, Idempotency_Key="u-1", Prefer="respond-async")
        await api.command(UpdateGroup, "u-1")
        assert len(world.events(CreateGroup)) == 1
        audit = (await api.get("/v1/audit"))["items"]
        assert [(a["action"], a["command_id"], a["result"]) for a in audit] == [
            (UpdateGroup.TYPE, "u-1", "sent"),
            (CreateGroup.TYPE, "g-1", "accepted"),
        ]


async def test_commands_that_come_together_are_each_sent_and_audited_once_and_refused_alone(world: World) -> None:
    async with gateway(world) as api:
        keys = [f"g-{number}" for number in range(100)]
        named = [(key, f"north-{key}") for key in keys] + [("g-7", "south")]

        async def ask(key: str, name: str) -> tuple[int, str]:
            body, headers = {"name": name}, {"Idempotency_Key": key, "Prefer": "respond-async"}
            reply = await api.ask("POST", "/v1/groups", body, **headers)
            return reply.status, reply.body.get("state") or reply.body["code"]

        said = await asyncio.gather(*(ask(key, name) for key, name in named))
        assert sorted(said) == [(202, "sent")] * 100 + [(409, "command_id_reused")]
        for key in keys:
            await api.command(CreateGroup, key)
        assert len(world.events(CreateGroup)) == 100
        audit = (await api.get("/v1/audit?limit=200"))["items"]
        assert sorted(item["command_id"] for item in audit) == sorted(keys)


async def test_an_answer_reaches_the_request_whichever_replica_reads_it(world: World) -> None:
    async with gateway(world, "1") as one, gateway(world, "2") as two:
        sites = [f"site-{number}" for number in range(12)]  # over all partitions, so that both replicas read some

        async def operate(number: int, site: str) -> int:
            api, key = (one, two)[number % 2], f"o-{number}"
            asked = asyncio.create_task(
                api.ask("POST", "/v1/operations", {**OPERATION, "site": site}, Idempotency_Key=key)
            )
            await api.accept(RequestOperation, key, operation_id=key)
            return (await asked).status

        statuses = await asyncio.gather(*(operate(number, site) for number, site in enumerate(sites)))
        assert statuses == [202] * 12
        listed = await two.get("/v1/operations?state=queued")
        assert {item["site"] for item in listed["items"]} == set(sites)


async def test_a_preview_begins_no_operation(world: World) -> None:
    async with gateway(world) as api:
        body = {**OPERATION, "preview": True}
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", body, Idempotency_Key="o-1"))
        await api.accept(RequestOperation, "o-1", plan=[{"component": "web", "action": "apply"}])
        assert (await asked).body["result"]["plan"][0]["action"] == "apply"
        assert (await api.get("/v1/operations"))["items"] == []


async def test_answers_to_commands_of_a_strategy_are_none_of_ours(world: World) -> None:
    async with gateway(world) as api:
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", OPERATION, Idempotency_Key="o-1"))
        command = await api.command(RequestOperation, "o-1")
        await world.send(command.data, message_id="step-1", correlation_id="strategy-1")
        await api.accept(RequestOperation, "step-1")
        await api.accept(RequestOperation, "o-1")
        assert (await asked).body["command_id"] == "o-1"
        assert (await api.ask("GET", "/v1/commands/step-1")).status == 404
