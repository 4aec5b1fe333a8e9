"""Which strategies, groups and sites a transaction will need: all locked before the first handler asks for any.

Handlers lock what they need as they come. Two replicas, each with messages of two strategies, would otherwise take
them in different orders and wait for each other, until PostgreSQL ends one of them a second later. The order is:
strategies by id, groups by name, sites by name, timers, the fleet.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.retelling import AT_ONCE, TELL_SITES
from services.strategy_orchestrator.rollout.offline_steps import CATCH_UP
from services.strategy_orchestrator.rollout.operation_ids import batch_of
from services.strategy_orchestrator.rollout.publications import PUBLISHED
from shared.core.transaction import Timer, Transaction
from shared.messages.base import Command, CommandAccepted, CommandRejected, Message
from shared.messages.catalog import PublicationSettled, ReleaseWithdrawn
from shared.messages.deployer import AvailabilityChanged, OperationFailed, OperationSucceeded, RequestOperation
from shared.messages.strategy import ChangeSites, CreateStrategy, RegisterSites
from shared.wire.codec import Envelope


async def lock_strategies_of(tx: Transaction, batch: Sequence[Envelope[Any]]) -> None:
    """Lock every strategy that the batch speaks of, the groups where their steps need places, and sites that change."""
    references, sites = spoken_of(envelope.data for envelope in batch)
    if apps := {envelope.data.app for envelope in batch if isinstance(envelope.data, ReleaseWithdrawn)}:
        references.update(await store.strategies.strategies_towards(tx.conn, sorted(apps)))
    if ended := [envelope.data.publication for envelope in batch if isinstance(envelope.data, PublicationSettled)]:
        references.update(await store.publications.waiting_for(tx.conn, ended))
    if any(_turns_sites(envelope.data) for envelope in batch):
        references.update(await store.strategies.live(tx.conn))  # of whichever sites the selection means
    groups: set[str] = set()
    if references or sites:
        groups = await store.strategies.lock_in_order(tx.conn, sorted(references), sorted(sites))
    if any(isinstance(envelope.data, Command) for envelope in batch):
        await store.groups.lock_all_groups(tx.conn)  # it may take sites of any, and then changes the fleet
    elif groups:
        await store.groups.lock_groups(tx.conn, sorted(groups))
    if changing := {name for envelope in batch for name in _changing(envelope.data)}:
        await store.sites.lock_sites(tx.conn, sorted(changing))


async def lock_strategies_of_timers(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Lock every strategy whose timer is due, the groups in which its steps need places, and sites that are told of.

    Before the timers are taken: whoever holds one of these strategies or groups may set such a timer anew.
    """
    groups = await store.strategies.lock_in_order(tx.conn, sorted({timer.key for timer in timers}), [])
    if any(timer.kind in {CATCH_UP, PUBLISHED} for timer in timers):
        await store.groups.lock_all_groups(tx.conn)  # sites are held anew, and their groups may be others now
    elif groups:
        await store.groups.lock_groups(tx.conn, sorted(groups))
    for timer in timers:
        if timer.kind == TELL_SITES:
            await store.sites.sites_after(tx.conn, timer.payload.get("after", ""), AT_ONCE)


def spoken_of(messages: Iterable[Message]) -> tuple[set[str], set[str]]:
    """Ids or names of strategies, and sites whose strategies are concerned: a single operation ended there, or they
    answer no longer, or again."""
    references: set[str] = set()
    sites: set[str] = set()
    for message in messages:
        if reference := _reference(message):
            references.add(reference)
        elif isinstance(message, OperationSucceeded | OperationFailed):
            sites.add(message.site)
        elif isinstance(message, AvailabilityChanged):
            sites.update(told.site for told in message.sites if told.availability != told.was)
        elif isinstance(message, RegisterSites):
            sites.update(site.name for site in message.sites if site.maintenance or not site.managed)
    return references, sites


def _changing(message: Message) -> Iterable[str]:
    """Sites of whose rows several handlers, one after the other, may change some."""
    if isinstance(message, AvailabilityChanged):
        return (told.site for told in message.sites)
    if isinstance(message, OperationSucceeded | OperationFailed) and not message.strategy_id:
        return (message.site,)
    if isinstance(message, CommandAccepted) and message.command_type == RequestOperation.TYPE:
        return (message.about,)
    return ()


def _turns_sites(message: Message) -> bool:
    """Whether steps of any site may end by it."""
    return isinstance(message, ChangeSites) and (message.maintenance is True or message.managed is False)


def _reference(message: Message) -> str | None:
    if isinstance(message, CommandAccepted | CommandRejected):
        batch = batch_of(message.command_id)
        return batch[0] if batch else None
    if isinstance(message, CreateStrategy):
        return message.spec.undo
    return getattr(message, "strategy_id", None) or getattr(message, "strategy", None)
