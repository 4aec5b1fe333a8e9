"""Subscriptions and deliveries, against a real receiver."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PublicKey, SealedBox

from services.notifier.app import wire
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.notifier import (
    AddSubscription,
    DeliveryDied,
    NotificationRaised,
    RemoveSubscription,
    SubscriptionChanged,
)
from shared.messages.strategy import Counts, StrategyStateChanged, Why
from shared.messages.words import NotificationTopic, StrategyState
from tests.service.notifier.receiver import receiving
from tests.service.notifier.rows import come_true
from tests.support.world import World

pytestmark = pytest.mark.service
SECRET = b"a signing key of 24 byte"


@pytest.fixture(autouse=True)
def _nearby_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ALLOW_PRIVATE_TARGETS": "true",
        "RETRY_WAITS": "[0.05, 0.1]",
        "TIMEOUT_SECONDS": "2",
    }.items():
        monkeypatch.setenv(f"BELAY_NOTIFIER_{name}", value)


def ended(strategy_id: str) -> StrategyStateChanged:
    facts = {"why": Why(code="complete", message="done"), "counts": Counts(complete=1), "at": datetime.now(UTC)}
    return StrategyStateChanged(strategy_id=strategy_id, name=strategy_id, state=StrategyState.COMPLETE, **facts)


def sealed(home: Path) -> str:
    public = PublicKey(base64.b64decode((home / "notifier.pub").read_text()))
    return base64.b64encode(SealedBox(public).encrypt(b"whsec_" + base64.b64encode(SECRET))).decode()


def subscription(name: str, url: str, **more: Any) -> AddSubscription:
    return AddSubscription.model_validate({"name": name, "url": url, **more})


def named(name: str, state: str) -> Callable[[SubscriptionChanged], bool]:
    return lambda event: (event.name, event.state) == (name, state)


async def test_a_notification_arrives_signed_and_says_what_it_is(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire) as service:
        answer = await world.ask(subscription("ops", receiver.url, sealed_secret=sealed(world.home)))
        assert isinstance(answer, CommandAccepted)
        await world.send(ended("s-1"))
        await receiver.until(lambda r: bool(r.got))
        headers, body = receiver.got[0]
        signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
        expected = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        raised = NotificationRaised.model_validate_json(body.split(b'"data":', 1)[1][:-1])
        assert raised == await world.until(NotificationRaised)
        stored = str(await service.pool.fetch("select * from subscription"))
        assert SECRET.decode() not in stored
        assert base64.b64encode(SECRET).decode() not in stored


@pytest.mark.parametrize("host", ["a" * 64 + ".com", "a..com", ".com", f"{'a.' * 127}com", "exa%20mple.com"])
async def test_a_host_that_no_dns_can_have_is_refused_with_its_reason_over_kafka_too(world: World, host: str) -> None:
    body = json.dumps({"name": "ops", "url": f"https://{host}/hook"}).encode()
    async with world.run("notifier", wire):
        await world.send_raw("notifier.commands", body, {"ce_id": "bad-1", "ce_type": AddSubscription.TYPE})
        refused = await world.answer("bad-1")
        assert isinstance(refused, CommandRejected)
        assert [(fault.field, fault.code) for fault in refused.faults] == [("url", "invalid_field")]
        assert re.search("parts of 1 to 63 letters|valid URL", refused.faults[0].message)
        gone = await world.ask(RemoveSubscription(name="ops"))
        assert isinstance(gone, CommandRejected), "nothing was added, and the service goes on"
        assert gone.code == "unknown_subscription"


async def test_only_the_topics_asked_for_arrive(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("errors", receiver.url, topics=[NotificationTopic.ERROR]))
        await world.ask(subscription("done", receiver.url, topics=[NotificationTopic.DONE]))
        await world.send(ended("s-1"))
        await world.send(ended("s-2"))
        await receiver.until(lambda r: len(r.got) >= 2)
        assert len(receiver.got) == 2


async def test_a_failing_target_is_tried_again_until_it_takes_the_message(world: World) -> None:
    async with receiving(answers=[500, 302, 200]) as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        await receiver.until(lambda r: len(r.got) == 3)
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        query = "select state = 'delivered' and tries = 3 from delivery where subscription = 'ops'"
        await come_true(service, query)


async def test_a_target_that_never_takes_anything_is_found_dead_and_the_rest_is_dropped(world: World) -> None:
    async with receiving(answers=[500]) as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url))
        for number in range(6):
            await world.send(ended(f"s-{number}"))
        died = await world.until(DeliveryDied)
        assert (died.subscription, died.tries, died.reason) == ("ops", 3, "the target answered 500")
        await world.until(SubscriptionChanged, named("ops", "dead"))
        query = "select count(*) = 0 from delivery where subscription = 'ops' and state in ('waiting', 'queued')"
        await come_true(service, query)
        await come_true(service, "select count(*) = 0 from job")
        assert len(receiver.got) <= 18  # three tries each


async def test_a_dead_subscription_is_removed_and_its_name_is_free_again(world: World) -> None:
    async with receiving(answers=[410]) as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        await world.send(ended("s-1"))
        await world.until(SubscriptionChanged, named("ops", "dead"))
        taken = await world.ask(subscription("ops", receiver.url))
        assert isinstance(taken, CommandRejected)
        assert taken.code == "subscription_exists"
        receiver.answers = [200]
        assert isinstance(await world.ask(RemoveSubscription(name="ops")), CommandAccepted)
        assert isinstance(await world.ask(subscription("ops", receiver.url)), CommandAccepted)
        await world.send(ended("s-2"))
        await receiver.until(lambda r: len(r.got) == 2)
    sequences = [e.sequence for e in world.seen if isinstance(e.data, SubscriptionChanged)]
    assert sequences == [1, 2, 3, 4]


async def test_a_target_that_hangs_holds_up_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_AT_ONCE", "3")
    monkeypatch.setenv("BELAY_NOTIFIER_TIMEOUT_SECONDS", "60")
    async with receiving(hang=True) as slow, receiving() as quick, world.run("notifier", wire):
        await world.ask(subscription("a-slow", slow.url))
        await world.ask(subscription("quick", quick.url))
        for number in range(10):
            await world.send(ended(f"s-{number}"))
        await quick.until(lambda r: len(r.got) == 10)
        assert len(slow.got) == 2  # its two places, and no more


async def test_removing_a_subscription_drops_what_waits_for_it_and_forgets_its_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_RETRY_WAITS", "[1, 1]")
    async with receiving(answers=[500]) as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url, sealed_secret=sealed(world.home)))
        await world.send(ended("s-1"))
        await receiver.until(lambda r: len(r.got) == 1)
        await world.ask(RemoveSubscription(name="ops"))
        await come_true(service, "select count(*) = 0 from job")
        states = await service.pool.fetch("select state from delivery where subscription = 'ops'")
        assert [row["state"] for row in states] == ["dropped"]
        assert await service.pool.fetchval("select sealed_secret is null from subscription where name = 'ops'")
        assert len(receiver.got) <= 2


async def test_a_restart_loses_no_delivery_and_repeats_none(world: World) -> None:
    async with receiving(hang=True) as receiver:
        async with world.run("notifier", wire):
            await world.ask(subscription("ops", receiver.url))
            await world.send(ended("s-1"))
            await receiver.until(lambda r: len(r.got) == 1)
        receiver.hang = False
        async with world.run("notifier", wire) as service:
            await receiver.until(lambda r: len(r.got) == 2)
            query = "select state = 'delivered' from delivery where subscription = 'ops'"
            await come_true(service, query)
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_faults_of_a_subscription_are_told_all_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS", "false")
    async with world.run("notifier", wire) as service:
        answer = await world.ask(subscription("log", "http://localhost:1/", sealed_secret="in clear"))
        assert isinstance(answer, CommandRejected)
        found = [(fault.field, fault.code) for fault in answer.faults]
        assert found == [
            ("url", "target_not_allowed"),
            ("sealed_secret", "bad_secret"),
            ("name", "subscription_exists"),
        ]
        assert "in clear" not in answer.model_dump_json()
        assert await service.pool.fetchval("select count(*) from subscription where channel = 'webhook'") == 0


async def test_a_target_that_moved_inside_after_it_was_accepted_is_not_connected_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        async with world.run("notifier", wire):
            port = receiver.url.split(":")[2]
            await world.ask(subscription("ops", f"http://localhost:{port}"))
        monkeypatch.setenv("BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS", "false")
        async with world.run("notifier", wire):
            await world.send(ended("s-1"))
            died = await world.until(DeliveryDied)
        assert "Loopback" in died.reason
        assert receiver.got == []


async def test_an_unknown_subscription_cannot_be_removed_nor_can_the_log(world: World) -> None:
    async with world.run("notifier", wire):
        for name in ("nobody", "log"):
            answer = await world.ask(RemoveSubscription(name=name))
            assert isinstance(answer, CommandRejected)
            assert (answer.code, answer.faults[0].value) == ("unknown_subscription", name)


async def test_each_notification_is_written_to_the_log(world: World) -> None:
    async with world.run("notifier", wire) as service:
        await world.send(ended("s-1"))
        query = "select count(*) = 1 from delivery where subscription = 'log' and state = 'delivered'"
        await come_true(service, query)
