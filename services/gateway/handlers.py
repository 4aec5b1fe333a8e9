"""Which events the gateway learns from. All types of one projection reach it together, in order."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.gateway.news import news_of, worth_telling
from services.gateway.projections import answers, catalog, fleet, hosts, monitor, notices, operations, strategies
from services.gateway.turns import LearningTransaction
from shared.core.bus import Handler, Handlers
from shared.core.transaction import Transaction
from shared.messages.base import Message
from shared.wire.codec import Envelope

Projection = Callable[[LearningTransaction, Sequence[Envelope[Any]]], Awaitable[None]]

TOPICS = ("catalog.events", "deployer.events", "deployer.facts", "strategy.events", "notifier.events", "monitor.events")


def learning(project: Projection, kinds: Sequence[type[Message]]) -> Handlers:
    """One handler for all the kinds: it updates the read model and tells people what is worth telling."""

    async def handle(tx: Transaction, events: Sequence[Envelope[Any]]) -> None:
        if not isinstance(tx, LearningTransaction):
            raise TypeError("read models are written in learning transactions")
        await project(tx, events)
        tx.news += [news_of(event) for event in events if worth_telling(event)]

    handler: Handler = handle
    return dict.fromkeys(kinds, handler)


HANDLERS: Handlers = {
    **learning(answers.learn_answers, answers.KINDS),
    **learning(catalog.learn_releases, catalog.KINDS),
    **learning(fleet.learn_fleet, fleet.KINDS),
    **learning(hosts.learn_hosts, hosts.KINDS),
    **learning(operations.learn_operations, operations.KINDS),
    **learning(strategies.learn_strategies, strategies.KINDS),
    **learning(monitor.learn_advice, monitor.KINDS),
    **learning(notices.learn_notices, notices.KINDS),
}
