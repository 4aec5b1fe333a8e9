"""Webhooks at the api: what was delivered to them is shown as the notifier told it last, and can be acted on."""

import asyncio
import random
from typing import Any

import pytest

from shared.messages import notifier
from shared.messages.notifier import DeliveriesChanged, Delivery
from shared.messages.words import NotificationTopic
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import at
from tests.support.world import World

pytestmark = pytest.mark.service


def subscribed(state: str = "active", **more: Any) -> notifier.SubscriptionChanged:
    facts = {"name": "ops", "url": "https://hooks.example.org/x", "topics": tuple(NotificationTopic)}
    return notifier.SubscriptionChanged(state=state, **facts, **more)


def delivery(delivery_id: str, nth: int, state: str, **more: Any) -> Delivery:
    facts: dict[str, Any] = {
        "notification_id": 1,
        "topic": "error",
        "message": "It failed",
        "tries": nth,
        "at": at(nth),
    }
    return Delivery(delivery_id=delivery_id, nth=nth, state=state, **{**facts, **more})  # type: ignore[arg-type]


def told(*deliveries: Delivery) -> DeliveriesChanged:
    return DeliveriesChanged(subscription="ops", deliveries=deliveries)


async def test_deliveries_are_shown_as_they_were_told_last_in_whatever_order_that_comes(world: World) -> None:
    story = [
        told(delivery("1:ops", 1, "waiting"), delivery("2:ops", 1, "waiting")),
        told(delivery("1:ops", 2, "waiting", status=503, reason="the target answered 503", milliseconds=8)),
        told(delivery("1:ops", 3, "delivered", status=200, milliseconds=9)),
        told(delivery("2:ops", 2, "dead", reason="no answer within 10 seconds")),
    ]
    async with gateway(world) as api:
        await world.send(subscribed(format="slack"), sequence=1)
        for event in [*story, *random.Random(3).sample(story, len(story))]:  # noqa: S311
            await world.send(event)
        path = "/v1/subscriptions/ops/deliveries"
        shown = await api.shows(path, lambda d: [i["state"] for i in d["items"]] == ["dead", "delivered"])
        assert [(i["delivery_id"], i["tries"], i["status"], i["reason"]) for i in shown["items"]] == [
            ("2:ops", 2, None, "no answer within 10 seconds"), ("1:ops", 3, 200, "")
        ]  # fmt: skip
        assert [i["delivery_id"] for i in (await api.get(f"{path}?state=dead"))["items"]] == ["2:ops"]
        assert (await api.get(f"{path}/1:ops"))["milliseconds"] == 9
        assert (await api.get("/v1/subscriptions/ops"))["format"] == "slack"
        for missing in ("/v1/subscriptions/none", "/v1/subscriptions/none/deliveries", f"{path}/9:ops"):
            assert (await api.ask("GET", missing)).status == 404


async def _owner(api: Api, command_id: str) -> None:
    """The notifier takes the test call, and tells of it a moment later."""
    await api.accept(notifier.SendTestNotification, command_id, subscription="ops", delivery="test:1")
    await api.world.send(told(delivery("test:1", 1, "queued", notification_id=None, tries=0)))
    end = delivery("test:1", 2, "dead", notification_id=None, tries=1, status=400, reason="no", milliseconds=7)
    await api.world.send(told(end))


async def test_a_test_call_answers_with_what_the_webhook_said(world: World) -> None:
    async with gateway(world) as api:
        owner = asyncio.create_task(_owner(api, "t-1"))
        answer = await api.ask("POST", "/v1/subscriptions/ops/test", Idempotency_Key="t-1")
        await owner
        assert answer.status == 202
        assert answer.body["result"] == {
            "subscription": "ops", "delivery": "test:1", "state": "dead", "status": 400, "milliseconds": 7,
            "reason": "no",
        }  # fmt: skip


async def test_ready_formats_are_there_to_begin_with(world: World) -> None:
    async with gateway(world) as api:
        formats = (await api.get("/v1/webhook-formats"))["items"]
        assert [one["format"] for one in formats] == ["slack", "teams", "mattermost"]
        assert all("{{ message" in str(one["template"]) for one in formats)
