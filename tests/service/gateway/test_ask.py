"""Commands without HTTP: what a door does that speaks another API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.gateway.commands.ask import Commands, CommandTooLarge, KeyReused, RoleNeeded
from services.gateway.domain import Identity, Role
from services.gateway.http.routing import GATEWAY
from shared.messages.base import Fault
from shared.messages.notifier import AddSubscription
from shared.messages.strategy import CreateGroup, GroupChanged, PauseStrategy
from tests.service.gateway.api import Api, gateway
from tests.support.world import World

pytestmark = pytest.mark.service

ANNA = Identity("1", "anna", Role.OPERATOR)
VERA = Identity("2", "vera", Role.VIEWER)
NORTH = CreateGroup(name="north", max_parallel=2)


@asynccontextmanager
async def asking(world: World) -> AsyncIterator[tuple[Commands, Api]]:
    async with gateway(world) as api:
        assert api.service.http is not None
        yield api.service.http[GATEWAY].commands, api


async def test_it_answers_with_what_the_owner_says_and_what_was_made_can_be_read(world: World) -> None:
    async with asking(world) as (commands, api):
        asked = asyncio.create_task(commands.ask(NORTH, ANNA, "g-1", target="door:/groups"))
        await api.accept(CreateGroup, "g-1", group="north")
        changed = GroupChanged(name="north", description="", apply_type="parallel", max_parallel=2)
        await world.send(changed, sequence=1)
        answer = await asked
        assert (answer.command_id, answer.state, answer.result) == ("g-1", "accepted", {"group": "north"})
        assert (await api.get("/v1/groups/north"))["max_parallel"] == 2
        (entry,) = (await api.get("/v1/audit"))["items"]
        assert (entry["actor"], entry["target"], entry["result"]) == ("anna", "door:/groups", "accepted")


async def test_a_refusal_comes_back_with_every_fault(world: World) -> None:
    async with asking(world) as (commands, api):
        asked = asyncio.create_task(commands.ask(PauseStrategy(strategy="s"), ANNA, "p-1"))
        faults = (
            Fault(code="wrong_state", field="strategy", message="no"),
            Fault(code="other", field="b", message="x"),
        )
        await api.reject(PauseStrategy, "p-1", *faults)
        answer = await asked
        assert (answer.state, answer.faults) == ("rejected", faults)


async def test_who_does_not_wait_is_told_that_it_was_sent_and_learns_the_answer_by_asking_again(world: World) -> None:
    async with asking(world) as (commands, api):
        pause = PauseStrategy(strategy="s")
        assert (await commands.ask(pause, ANNA, "p-1", patience=0)).state == "sent"
        await api.accept(PauseStrategy, "p-1")
        assert (await commands.ask(pause, ANNA, "p-1")).state == "accepted"
        assert len(world.events(PauseStrategy)) == 1


async def test_a_key_is_one_command_and_no_key_is_a_fresh_one(world: World) -> None:
    async with asking(world) as (commands, _):
        await commands.ask(NORTH, ANNA, "g-1", patience=0)
        with pytest.raises(KeyReused):
            await commands.ask(CreateGroup(name="south"), ANNA, "g-1", patience=0)
        ids = [(await commands.ask(NORTH, ANNA, patience=0)).command_id for _ in range(2)]
        assert len({*ids, "g-1"}) == 3


async def test_what_may_not_be_asked_is_neither_sent_nor_audited(world: World) -> None:
    async with asking(world) as (commands, api):
        with pytest.raises(RoleNeeded, match="operator"):
            await commands.ask(NORTH, VERA, "g-1")
        large = AddSubscription(
            name="chat", url="https://chat.example/", format="custom", template={"text": "x" * 2_000_000}
        )
        with pytest.raises(CommandTooLarge) as raised:
            await commands.ask(large, ANNA, "s-1")
        assert raised.value.fault.field == "template.text"
        assert (await api.get("/v1/audit"))["items"] == []
