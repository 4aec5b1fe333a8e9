"""What people may do now is said with each resource: by its state, and by the role of who asks."""

import asyncio

import pytest

from shared.messages import notifier, strategy
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import CreateGroup
from shared.messages.words import NotificationTopic, StrategyAction
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import planned, running, sites_changed, state_changed
from tests.support.world import World

pytestmark = pytest.mark.service

A = StrategyAction


async def viewer(api: Api) -> str:
    made = await api.ask("POST", "/v1/tokens", {"name": "vera", "role": "viewer"})
    token: str = made.body["token"]
    return token


async def test_a_strategy_lets_people_do_what_its_owner_says_and_nothing_once_it_is_deleted(world: World) -> None:
    async with gateway(world) as api:
        await world.send(planned("s-1", "north", 1), sequence=1)
        ready = state_changed("s-1", "north", "ready", 1).model_copy(update={"actions": (A.APPLY, A.DELETE)})
        await world.send(ready, sequence=2)
        shown = await api.shows("/v1/strategies/north", lambda body: body["actions"])
        assert shown["actions"] == ["apply", "delete"]
        assert (await api.get("/v1/strategies"))["items"][0]["actions"] == ["apply", "delete"]
        assert (await api.ask("GET", "/v1/strategies/north", token=await viewer(api))).body["actions"] == []
        paused = state_changed("s-1", "north", "paused", 2).model_copy(update={"actions": (A.RESUME, A.UNDO)})
        await world.send(paused, sequence=3)
        await api.shows("/v1/strategies/north", lambda body: body["actions"] == ["resume", "undo"])
        await world.send(strategy.StrategyDeleted(strategy_id="s-1", name="north", at=paused.at), sequence=4)
        assert (await api.shows("/v1/strategies/s-1", lambda body: body["deleted"]))["actions"] == []


async def test_a_word_of_tomorrow_among_the_actions_is_not_offered_and_breaks_nothing(world: World) -> None:
    async with gateway(world) as api:
        words = {"actions": (A.APPLY, "rehearse")}
        await world.send(planned("s-1", "north", 1), sequence=1)
        await world.send(state_changed("s-1", "north", "ready", 1).model_copy(update=words), sequence=2)
        assert (await api.shows("/v1/strategies/north", lambda body: body["actions"]))["actions"] == ["apply"]


async def test_sites_groups_and_operations_say_what_can_be_done_with_them(world: World) -> None:
    async with gateway(world) as api:
        asked = asyncio.create_task(api.ask("POST", "/v1/groups", {"name": "north"}, Idempotency_Key="g-1"))
        await api.accept(CreateGroup, "g-1", group="north")
        made = strategy.GroupChanged(name="north", description="", apply_type="parallel", max_parallel=2)
        await world.send(made, sequence=1)
        await asked
        assert (await api.get("/v1/groups/north"))["actions"] == ["update", "delete"]
        await world.send(sites_changed("a", "b"), sequence=2)
        await world.send(strategy.SitesHeld(strategy_id="s-1", strategy="north", names=("a",)), sequence=3)
        await api.shows("/v1/sites/a", lambda body: body["actions"] == ["change"])
        assert (await api.get("/v1/sites/b"))["actions"] == ["change", "remove"]
        assert (await api.ask("GET", "/v1/sites/b", token=await viewer(api))).body["actions"] == []
        await world.send(running("o-1", "b", 50))
        await api.shows("/v1/operations/o-1", lambda body: body["actions"] == ["cancel"])


async def test_a_dead_webhook_can_be_enabled_and_one_that_lives_cannot(world: World) -> None:
    async with gateway(world) as api:
        named = {"topics": tuple(NotificationTopic), "url": "https://chat.example/"}
        await world.send(notifier.SubscriptionChanged(name="chat", state="active", **named), sequence=1)
        shown = await api.shows("/v1/subscriptions/chat", lambda body: body["state"] == "active")
        assert shown["actions"] == ["remove", "test", "redeliver"]
        await world.send(notifier.SubscriptionChanged(name="chat", state="dead", **named), sequence=2)
        shown = await api.shows("/v1/subscriptions/chat", lambda body: body["state"] == "dead")
        assert shown["actions"] == ["remove", "enable", "test"]


async def test_what_a_request_began_can_be_cancelled_while_it_waits(world: World) -> None:
    body = {"site": "oslo-1", "app": "web", "kind": "update", "version": "2.0"}
    async with gateway(world) as api:
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", body, Idempotency_Key="o-1"))
        await api.accept(RequestOperation, "o-1", operation_id="o-1")
        await asked
        assert (await api.get("/v1/operations"))["items"][0]["actions"] == ["cancel"]
