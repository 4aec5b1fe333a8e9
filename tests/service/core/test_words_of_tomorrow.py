"""In a rolling update the newer replica says new words first: every older listener takes them, and shows them."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from services.catalog.app import wire as catalog
from services.deployer.app import wire as deployer
from services.notifier.app import wire as notifier
from services.strategy_orchestrator.app import wire as strategy_orchestrator
from shared.messages import REGISTRY
from shared.messages.base import Message
from shared.messages.notifier import NotificationRaised
from shared.process.service import Service
from tests.service.gateway.api import Api, gateway
from tests.support.patience import patience
from tests.support.tomorrow import WORD, sample_of_tomorrow
from tests.support.world import PATIENCE, World

pytestmark = pytest.mark.service

EVENTS = [kind for kind in REGISTRY.values() if not kind.IS_COMMAND]
TAKING_AWAY = [kind for kind in EVENTS if kind.__name__.endswith(("Deleted", "Removed", "Withdrawn"))]
WIRES = {
    "catalog": catalog, "deployer": deployer, "notifier": notifier, "strategy_orchestrator": strategy_orchestrator,
}  # fmt: skip


async def test_no_listener_of_today_puts_a_word_of_tomorrow_into_the_dead_letters(world: World) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(gateway(world))
        services = [await stack.enter_async_context(world.run(name, wire)) for name, wire in WIRES.items()]
        for kinds in ([kind for kind in EVENTS if kind not in TAKING_AWAY], TAKING_AWAY):
            ends = await tell(world, kinds)
            for service in (*services, api.service):
                await until_read(service, world, ends)
            assert world.dead == []
            if kinds is not TAKING_AWAY:
                await all_is_shown(api)


async def tell(world: World, kinds: Sequence[type[Message]]) -> dict[tuple[str, int], int]:
    """Each of these events with new words; returns where each partition ends now."""
    ends: dict[tuple[str, int], int] = {}
    for kind in kinds:
        topic, key, body, headers = sample_of_tomorrow(kind)
        if kind is NotificationRaised:
            body["notification_id"] = 9_999  # the notifier that runs here raises some of its own, from 1 on
        text, said = json.dumps(body).encode(), [(n, v if n != "ce_id" else kind.TYPE.encode()) for n, v in headers]
        sent = await world.producer.send_and_wait(world.prefix + topic, text, key=key, headers=said)
        ends[sent.topic, sent.partition] = max(sent.offset + 1, ends.get((sent.topic, sent.partition), 0))
    return ends


async def until_read(service: Service, world: World, ends: dict[tuple[str, int], int]) -> None:
    """Until the service has read all that was told on its topics."""
    mine = {world.prefix + topic for topic in service.topics}
    async with patience(PATIENCE):
        while True:
            rows = await service.pool.fetch("select topic, part, next_offset from consumed")
            read = {(row["topic"], row["part"]): row["next_offset"] for row in rows}
            if all(read.get(part, 0) >= end for part, end in ends.items() if part[0] in mine):
                return
            await asyncio.sleep(0.05)


async def all_is_shown(api: Api) -> None:
    strategies = (await api.ask("GET", "/v1/strategies")).body["items"]
    assert WORD in {strategy["state"] for strategy in strategies}
    deployments = (await api.ask("GET", "/v1/deployments")).body["items"]
    assert WORD in {deployment["status"] for deployment in deployments}
    sites = (await api.ask("GET", "/v1/sites")).body["items"]
    assert WORD in json.dumps(sites)
    notifications = (await api.ask("GET", "/v1/notifications")).body["items"]
    assert WORD in {notification["topic"] for notification in notifications}
    releases = (await api.ask("GET", "/v1/releases")).body["items"]
    assert releases[0]["version"], "a release whose versions nobody here can compare is shown all the same"
