"""Webhooks that are told of notifications: who they are, what was delivered to them, and what can be done about it."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, hidden_faults, in_confidence, read_object, without
from services.gateway.http.pages import LARGEST, Page, Paging, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, ask, command_id_of, command_route, response_of, send
from services.gateway.resources.resource import Resource
from services.gateway.resources.subscriptions import actions, store
from services.gateway.resources.subscriptions.projection import KINDS, learn_subscriptions
from services.gateway.resources.subscriptions.views import (
    DeliveryQuery,
    DeliveryView,
    FormatsView,
    FormatView,
    SubscriptionBody,
    SubscriptionView,
)
from shared.messages.notifier import (
    AddSubscription,
    SendTestNotification,
)
from shared.messages.words import Identifier, Name
from shared.webhook_formats import READY, ready

OF_PATH = frozenset({"name"})
SHOWN = SubscriptionBody.model_fields.keys() - {"secret", "url"}
"""Fields whose values a refusal repeats: whoever knows the whole address of a webhook may write there."""

TEST_SECONDS, TEST_POLL = 15.0, 0.05
"""How long a test call is waited for: the notifier itself gives a target 10 s."""


async def list_subscriptions(call: Call) -> Page[SubscriptionView]:
    """GET /v1/subscriptions."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_subscriptions(conn, after, call.query.limit + 1)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[SubscriptionView], shown, call.query, lambda row: [row["name"]])


async def show(call: Call) -> SubscriptionView:
    """GET /v1/subscriptions/{name}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_subscription(conn, call.path["name"])
    if row is None:
        raise unknown("subscription", call.path["name"])
    return SubscriptionView.model_validate(with_actions(row, actions.ACTIONS, call.who.role))


async def subscribe(call: Call) -> web.Response:
    """POST /v1/subscriptions: the secret is sealed here and travels so.

    Sealing gives other bytes each time; whether a repeated request is the same one is told by what was sealed.
    """
    with in_confidence(*SHOWN):
        body = formed(SubscriptionBody, await read_object(call.request))
    plain = _plain(body)
    if body.secret is None:
        return await send(call, plain)
    sealing = call.gateway.sealing
    sealed = await sealing.seal(AddSubscription.OWNER, body.secret)
    fingerprint = sealing.fingerprint(command_id_of(call.request), plain.model_dump_json(), body.secret)
    command = plain.model_copy(update={"sealed_secret": sealed})
    return await send(call, command, fingerprint=fingerprint)


def _plain(body: SubscriptionBody) -> AddSubscription:
    facts: dict[str, Any] = {name: getattr(body, name) for name in SubscriptionBody.model_fields if name != "secret"}
    return AddSubscription(**facts)


async def list_deliveries(call: Call) -> Page[DeliveryView]:
    """GET /v1/subscriptions/{name}/deliveries."""
    q, name = call.query, call.path["name"]
    (before,) = start(q, LARGEST)
    async with call.gateway.pool.acquire() as conn:
        if await store.find_subscription(conn, name) is None:
            raise unknown("subscription", name)
        rows = await store.list_deliveries(conn, name, before, q.limit + 1, q.state)
    shown = [with_actions(row, actions.OF_DELIVERY, call.who.role) for row in rows]
    return page(Page[DeliveryView], shown, q, lambda row: [row["position"]])


async def show_delivery(call: Call) -> DeliveryView:
    """GET /v1/subscriptions/{name}/deliveries/{delivery_id}."""
    found = await _delivery(call, call.path["delivery_id"])
    if found is None or found.subscription != call.path["name"]:
        raise unknown("delivery", call.path["delivery_id"])
    return found


async def _delivery(call: Call, delivery_id: str) -> DeliveryView | None:
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_delivery(conn, delivery_id)
    return DeliveryView.model_validate(with_actions(row, actions.OF_DELIVERY, call.who.role)) if row else None


async def test(call: Call) -> web.Response:
    """POST /v1/subscriptions/{name}/test: the answer's `result` says what the target answered, once it has."""
    sent = await read_object(call.request)
    command = formed(SendTestNotification, {**sent, **call.path}, faults=hidden_faults(sent, OF_PATH))
    answer = await ask(call, command)
    if answer.state == "accepted" and (end := await _end_of(call, answer.result["delivery"])):
        outcome = end.model_dump(mode="json", include={"state", "status", "milliseconds", "reason"})
        answer = replace(answer, result=answer.result | outcome)
    return response_of(answer)


async def _end_of(call: Call, delivery_id: str) -> DeliveryView | None:
    """The delivery once it has ended; None when that takes too long: the list of deliveries will say it."""
    until = time.monotonic() + TEST_SECONDS
    while (found := await _delivery(call, delivery_id)) is None or found.state not in actions.ENDED:
        if time.monotonic() > until:
            return None
        await asyncio.sleep(TEST_POLL)
    return found


async def list_formats(_: Call) -> FormatsView:
    """GET /v1/webhook-formats."""
    return FormatsView(items=[FormatView(format=form, template=dict(ready(form))) for form in READY])


_ONE, _DELIVERIES = "/v1/subscriptions/{name}", "/v1/subscriptions/{name}/deliveries"

ROUTES = (
    Route("GET", "/v1/subscriptions", list_subscriptions, "Webhooks", query=Paging, answer=Page[SubscriptionView]),
    action_route("POST", "/v1/subscriptions", actions.ADD, subscribe, "Tell a webhook", SubscriptionBody),
    Route("GET", _ONE, show, "One webhook", answer=SubscriptionView),
    command_route("DELETE", _ONE, actions.REMOVE, "Stop telling a webhook"),
    command_route("POST", f"{_ONE}/enable", actions.ENABLE, "Tell a dead webhook again"),
    action_route(
        "POST", f"{_ONE}/test", actions.TEST, test, "Send a sample and say what the webhook answered",
        without(SendTestNotification, OF_PATH),
    ),
    Route(
        "GET", _DELIVERIES, list_deliveries, "Deliveries to a webhook, newest first",
        query=DeliveryQuery, answer=Page[DeliveryView],
    ),
    command_route("POST", f"{_ONE}/redeliver", actions.REDELIVER, "Deliver again, under the same ids"),
    Route("GET", _DELIVERIES + "/{delivery_id}", show_delivery, "One delivery", answer=DeliveryView),
    Route("GET", "/v1/webhook-formats", list_formats, "Templates of what chats are sent", answer=FormatsView),
)  # fmt: skip


RESOURCE = Resource(
    {"subscriptions": "Who is told of notifications", "webhook-formats": "How chats want to be told"},
    ROUTES,
    {"subscriptions/{name}": Name, "deliveries/{delivery_id}": Identifier},
    (Learning(learn_subscriptions, KINDS),),
    actions=actions.ACTIONS,
)
