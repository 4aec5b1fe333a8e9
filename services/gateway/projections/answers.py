"""Answers to the commands that were sent through this gateway, by whichever replica."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from services.gateway.news import news_of
from services.gateway.store import catalog as bundles
from services.gateway.store import commands as store
from services.gateway.store import operations
from services.gateway.store.as_json import text
from services.gateway.store.commands import AnswerRow, Noted
from services.gateway.store.operations import QueuedRow
from services.gateway.turns import LearningTransaction
from shared.messages import REGISTRY, catalog, deployer
from shared.messages.base import CommandAccepted, CommandRejected, Fault
from shared.wire.codec import Attributes, Envelope


async def learn_answers(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Close the commands, show what they began, and wake whoever waits."""
    mine = {event.data.command_id: event for event in reversed(events)}
    answered = await store.answer(tx.conn, [_row(event) for event in mine.values()], tx.now)
    if queued := list(_queued(answered)):
        await operations.queue(tx.conn, queued)
    if refused := list(_refused_bundles(answered)):
        await bundles.refuse_bundles(tx.conn, refused, tx.now)
    tx.news += [news_of(mine[row["command_id"]]) for row in answered]
    tx.answered += [_noted(row) for row in answered]


def not_ours(attributes: Attributes) -> bool:
    """Whether a record is the answer to a command that a strategy sent, by its headers alone.

    People's commands begin a correlation of their own. The orchestrator sends thousands a second on behalf of a
    strategy, and theirs is that of the strategy; so their answers are not even parsed.
    """
    if attributes.get("ce_type") not in ANSWERS:
        return False
    cause = attributes.get("ce_causationid")
    return bool(cause) and cause != attributes.get("ce_correlationid")


def _noted(row: asyncpg.Record) -> Noted:
    return Noted(row["command_id"], row["fingerprint"], row["state"], row["result"], row["faults"])


def _row(event: Envelope[Any]) -> AnswerRow:
    answer: CommandAccepted | CommandRejected = event.data
    if isinstance(answer, CommandAccepted):
        return AnswerRow(answer.command_id, answer.command_type, "accepted", answer.result, "[]")
    reasons = answer.faults or (Fault(code=answer.code, field="", message="refused"),)
    faults = text([fault.model_dump(mode="json") for fault in reasons])
    return AnswerRow(answer.command_id, answer.command_type, "rejected", {}, faults)


def _queued(answered: Iterable[asyncpg.Record]) -> Iterable[QueuedRow]:
    """Operations that wait for the deployer's first word on them; a preview began none."""
    for row in answered:
        body = row["body"]
        if (row["type"], row["state"]) == (deployer.RequestOperation.TYPE, "accepted") and not body.get("preview"):
            version = (row["result"] or {}).get("to_version") or body.get("version")  # as its release is written
            yield QueuedRow(row["command_id"], body["site"], body["app"], body["kind"], version, row["sent_at"])


def _refused_bundles(answered: Iterable[asyncpg.Record]) -> Iterable[tuple[str, str]]:
    for row in answered:
        if (row["type"], row["state"]) == (catalog.PublishRelease.TYPE, "rejected"):
            yield row["body"]["bundle_sha256"], text(row["faults"])


KINDS = tuple(kind for kind in REGISTRY.values() if issubclass(kind, CommandAccepted | CommandRejected))
ANSWERS = frozenset(kind.TYPE for kind in KINDS)
