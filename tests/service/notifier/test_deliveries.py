"""What people do about deliveries: see them, try a target, bring a dead one back, send again; with real receivers."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from services.notifier.app import wire
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import Cause, OperationFailed
from shared.messages.notifier import (
    AddSubscription,
    DeliveriesChanged,
    Delivery,
    EnableSubscription,
    NotificationRaised,
    RedeliverNotifications,
    SendTestNotification,
    SubscriptionChanged,
)
from shared.messages.strategy import StrategyStateChanged
from shared.wire.codec import Envelope
from tests.service.notifier.receiver import receiving
from tests.service.notifier.rows import come_true
from tests.service.notifier.test_webhooks import _nearby_and_impatient, ended, named, subscription  # noqa: F401
from tests.support.world import World

pytestmark = pytest.mark.service


def deliveries(world: World, name: str = "ops") -> dict[str, Delivery]:
    """How the deliveries of a subscription were told last."""
    last: dict[str, Delivery] = {}
    for event in world.events(DeliveriesChanged):
        for one in event.deliveries if event.subscription == name else ():
            if one.delivery_id not in last or last[one.delivery_id].nth < one.nth:
                last[one.delivery_id] = one
    return last


async def told(world: World, state: str, count: int = 1) -> list[Delivery]:
    """Until so many deliveries stand in this state."""
    wanted: Any = lambda _: sum(one.state == state for one in deliveries(world).values()) >= count  # noqa: E731
    await world.until(DeliveriesChanged, wanted)
    return [one for one in deliveries(world).values() if one.state == state]


def failure(operation_id: str, strategy_id: str | None = None, **more: Any) -> OperationFailed:
    facts: dict[str, Any] = {"app": "web", "kind": "update", "from_version": "1", "to_version": "2", "version": "1"}
    where = {"operation_id": operation_id, "site": f"site-{operation_id}", "strategy_id": strategy_id}
    cause = Cause(code="exited", message="web: its process exited")
    return OperationFailed(**where, **facts, status="operational", seconds=1, recovered=True, cause=cause, **more)


async def test_each_delivery_is_told_with_its_tries_its_status_and_when_it_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_RETRY_WAITS", "[600]")
    async with receiving(answers=[503], words="try later") as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        await world.until(DeliveriesChanged, lambda event: event.deliveries[0].tries == 1)
        (one,) = deliveries(world).values()
        assert (one.state, one.tries, one.status) == ("waiting", 1, 503)
        assert one.reason == "the target answered 503: try later"
        assert one.next_try_at is not None
        assert 590 < (one.next_try_at - datetime.now(UTC)).total_seconds() < 730
        assert one.milliseconds is not None
        assert one.message.startswith("Strategy s-1 is complete")


async def test_deliveries_that_wait_for_their_next_try_hold_up_no_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 24 hours of tries two messages that a target refuses would otherwise silence it for a day."""
    monkeypatch.setenv("BELAY_NOTIFIER_RETRY_WAITS", "[600, 600]")
    async with receiving(answers=[400, 400, 400, 200]) as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        for number in range(10):
            await world.send(ended(f"s-{number}"))
        assert len(await told(world, "delivered", 7)) == 7
        assert len(receiver.got) == 10


async def test_a_delivery_that_is_forgotten_while_it_is_tried_leaves_its_place_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_PER_SUBSCRIPTION", "1")
    async with receiving(hang=True) as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        await receiver.until(lambda r: len(r.got) == 1)
        receiver.hang = False
        await world.send(ended("s-2"))
        await world.until(NotificationRaised, lambda n: n.about == "s-2")
        await service.pool.execute("delete from notification where about = 's-1'")  # as when there are too many
        await receiver.until(lambda r: len(r.got) == 2)
        assert receiver.messages[1].startswith("Strategy s-2 is complete")


async def test_a_target_that_asks_to_be_left_alone_is_left_alone_with_everything(world: World) -> None:
    async with receiving(answers=[429, 200], headers={"Retry-After": "2"}) as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        await receiver.until(lambda r: len(r.got) == 1)
        began = asyncio.get_running_loop().time()
        await told(world, "waiting")
        await world.send(ended("s-2"))
        await receiver.until(lambda r: len(r.got) == 3)
        assert asyncio.get_running_loop().time() - began > 1.5
        await told(world, "delivered", 2)


async def test_a_test_call_says_what_the_target_answered_and_counts_for_nothing(world: World) -> None:
    async with receiving(answers=[500, 410, 200], words="no") as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url))
        for state, status, reason in (
            ("dead", 500, "the target answered 500: no"), ("dead", 410, "the target answered 410 Gone"),
            ("delivered", 200, ""),
        ):  # fmt: skip
            answer = await world.ask(SendTestNotification(name="ops"))
            assert isinstance(answer, CommandAccepted)
            delivery = answer.result["delivery"]
            await world.until(
                DeliveriesChanged, lambda e, d=delivery: e.deliveries[0].delivery_id == d and e.deliveries[0].tries
            )
            one = deliveries(world)[delivery]
            assert (one.state, one.status, one.reason, one.tries) == (state, status, reason, 1)
            assert one.notification_id is None
        assert await service.pool.fetchval("select state from subscription where name = 'ops'") == "active"
        assert await service.pool.fetchval("select count(*) from notification") == 0
        assert b"This is a test of the subscription ops" in receiver.got[0][1]


async def test_the_death_of_a_webhook_is_told_and_it_comes_back_with_all_that_it_missed(world: World) -> None:
    async with receiving(answers=[500]) as receiver, receiving() as other, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        await world.ask(subscription("other", other.url))
        await world.send(ended("s-1"))
        await world.until(SubscriptionChanged, named("ops", "dead"))
        await other.until(lambda r: any("The webhook ops is dead" in message for message in r.messages))
        raised = await world.until(NotificationRaised, lambda event: event.about == "ops")
        assert (raised.topic, raised.link) == ("warning", "/v1/subscriptions/ops")
        assert "the target answered 500" in raised.message
        receiver.answers, before = [200], len(receiver.got)
        first = {headers["webhook-id"] for headers, _ in receiver.got}
        refused = await world.ask(RedeliverNotifications(name="ops", undelivered=True))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "wrong_state"
        enabled = await world.ask(EnableSubscription(name="ops"))
        assert isinstance(enabled, CommandAccepted)
        assert enabled.result == {"subscription": "ops", "missed": 1}
        again = await world.ask(RedeliverNotifications(name="ops", undelivered=True))
        assert isinstance(again, CommandAccepted)
        assert again.result == {"subscription": "ops", "deliveries": 1}
        await receiver.until(lambda r: len(r.got) == before + 1)
        assert receiver.got[-1][0]["webhook-id"] in first
        await world.send(ended("s-2"))
        await receiver.until(lambda r: len(r.got) == before + 2)


async def test_what_was_delivered_is_sent_again_on_demand_and_a_mistake_is_told_for_each(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        (one,) = await told(world, "delivered")
        answer = await world.ask(RedeliverNotifications(name="ops", deliveries=(one.delivery_id,)))
        assert isinstance(answer, CommandAccepted)
        await receiver.until(lambda r: len(r.got) == 2)
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        wrong = await world.ask(RedeliverNotifications(name="ops", deliveries=("7:ops", "8:ops")))
        assert isinstance(wrong, CommandRejected)
        assert [(fault.field, fault.code) for fault in wrong.faults] == [
            ("deliveries.0", "unknown_delivery"), ("deliveries.1", "unknown_delivery")
        ]  # fmt: skip
        nothing = await world.ask(RedeliverNotifications(name="ops"))
        assert isinstance(nothing, CommandRejected)
        assert nothing.code == "missing_field"


@pytest.mark.parametrize("kind", [EnableSubscription, SendTestNotification, RedeliverNotifications])
async def test_there_is_nothing_to_be_done_about_a_subscription_that_is_not_there(world: World, kind: Any) -> None:
    async with world.run("notifier", wire):
        for name in ("nobody", "log"):
            answer = await world.ask(kind(name=name))
            assert isinstance(answer, CommandRejected)
            assert answer.code == "unknown_subscription"


async def test_two_installations_never_use_the_same_webhook_id(world: World) -> None:
    async with receiving() as receiver:
        for _ in range(2):
            async with world.run("notifier", wire) as service:
                await world.ask(subscription("ops", receiver.url))
                await world.send(ended("s-1"))
                count = len(receiver.got)
                await receiver.until(lambda r, c=count: len(r.got) > c)
                await come_true(service, "select count(*) = 0 from job")
                await service.pool.execute("truncate notification, delivery, heard restart identity cascade")
        ids = [headers["webhook-id"] for headers, _ in receiver.got]
        assert len(set(ids)) == len(ids) == 2
        assert all(message_id.startswith("msg_") for message_id in ids)


async def test_a_failure_reaches_a_webhook_with_its_evidence_in_every_form(world: World) -> None:
    lines = ("web: begins", 'web: cannot read "shop.toml"')
    template = {"said": "{{ failure.last_lines | join: '; ' }}", "at": "{{ failure.site }}"}
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("plain", receiver.url))
        for form in ("slack", "teams", "mattermost"):
            await world.ask(subscription(form, receiver.url, format=form))
        own = await world.ask(subscription("own", receiver.url, format="custom", template=template))
        assert isinstance(own, CommandAccepted)
        await world.send(failure("7", last_lines=lines))
        await receiver.until(lambda r: len(r.got) == 5)
        bodies = [json.loads(body) for _, body in receiver.got]
        assert {"said": "; ".join(lines), "at": "site-7"} in bodies
        assert [b["data"]["failures"][0]["last_lines"] for b in bodies if "data" in b] == [list(lines)]
        assert all("cannot read" in json.dumps(body) for body in bodies)


async def test_a_strategy_that_stops_says_what_failed_first_and_one_set_going_again_begins_anew(world: World) -> None:
    def moved(state: str, second: float, *, renewed: bool = False) -> Any:
        facts = {"state": state, "renewed": renewed, "at": datetime.fromtimestamp(second, UTC)}
        stopped = ended("s-1").model_dump() | facts
        return type(ended("s-1")).model_validate(stopped)

    async with world.run("notifier", wire) as service:
        now = datetime.now(UTC).timestamp()
        for number in range(50):
            await world.send(failure(f"s-1.{number}", "s-1", last_lines=(f"line {number}",)), correlation_id="s-1")
        await come_true(service, "select count(*) = 3 from strategy_failure")
        await world.send(moved("applying", now + 1, renewed=True))  # it goes on, and may be retried now
        await world.send(moved("failed", now + 1))
        raised = await world.until(NotificationRaised)
        assert len(raised.failures) == 3
        assert all(one.last_lines[0].startswith("line ") for one in raised.failures)
        assert world.events(NotificationRaised) == [raised]
        await world.send(moved("applying", now + 60))
        await come_true(service, "select count(*) = 0 from strategy_failure")

        await world.send(failure("s-1.60", "s-1"), correlation_id="s-1")
        await come_true(service, "select count(*) = 1 from strategy_failure")
        story = (moved("failed", now + 61), moved("applying", now + 6_000), moved("failed", now + 6_001))
        batch = [Envelope(event, f"e-{n}", "/test", event.at) for n, event in enumerate(story)]
        async with service.ledger.transaction() as tx:
            await service.handlers[StrategyStateChanged](tx, batch)
        await world.until(NotificationRaised, lambda _: len(world.events(NotificationRaised)) >= 3)
        heard = sorted(world.events(NotificationRaised), key=lambda event: event.notification_id)
        assert [len(one.failures) for one in heard] == [3, 1, 0], "of what failed before nobody hears again"


async def test_the_address_of_a_chat_is_told_to_nobody(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("chat", receiver.url, format="slack"))
        await world.ask(subscription("plain", receiver.url))
        told = {event.name: event.url for event in world.events(SubscriptionChanged)}
        assert told == {"chat": receiver.url.removesuffix("hook") + "…", "plain": receiver.url}
        await world.send(ended("s-1"))
        await receiver.until(lambda r: len(r.got) == 2)


async def test_every_mistake_of_a_template_and_a_format_is_told_with_the_others(world: World) -> None:
    async with world.run("notifier", wire):
        bad = {"text": "{{ mesage }}", "more": ["{{ message | shout }}"]}
        answer = await world.ask(subscription("log", "http://127.0.0.1:1/", format="custom", template=bad))
        assert isinstance(answer, CommandRejected)
        assert [(fault.field, fault.code) for fault in answer.faults] == [
            ("template.text", "bad_template"), ("template.more.0", "bad_template"), ("name", "subscription_exists")
        ]  # fmt: skip
        for more, code in (({"format": "custom"}, "missing_field"), ({"template": bad}, "invalid_field")):
            answer = await world.ask(subscription("ops", "http://127.0.0.1:1/", **more))
            assert isinstance(answer, CommandRejected)
            assert (answer.code, answer.faults[0].field) == (code, "template")


async def test_webhooks_go_through_the_proxy_that_is_set_and_through_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        asked.append(str(request.url))
        return web.Response()

    runner = web.ServerRunner(web.Server(proxy))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    where = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with receiving() as receiver:
            monkeypatch.setenv("HTTP_PROXY", where)
            monkeypatch.setenv("http_proxy", where)
            async with world.run("notifier", wire):
                await world.ask(subscription("ops", receiver.url))
                await world.send(ended("s-1"))
                await receiver.until(lambda r: len(r.got) == 1)
            assert asked == []
            monkeypatch.setenv("BELAY_NOTIFIER_PROXY", where)
            monkeypatch.setenv("BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS", "false")
            async with world.run("notifier", wire) as service:
                far = AddSubscription.model_validate({"name": "far", "url": "http://far.invalid/hook"})
                assert isinstance(await world.ask(far), CommandAccepted)  # known to the proxy alone
                inside = await world.ask(subscription("inside", "http://127.0.0.1:1/"))
                assert isinstance(inside, CommandRejected)
                await world.send(ended("s-2"))
                query = "select count(*) = 1 from delivery where subscription = 'far' and state = 'delivered'"
                await come_true(service, query)
                assert asked == ["http://far.invalid/hook"]
                assert len(receiver.got) == 1  # inside: not even through the proxy
    finally:
        await runner.cleanup()
