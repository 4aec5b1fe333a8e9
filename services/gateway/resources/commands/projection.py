"""Answers to the commands that were sent through this gateway, by whichever replica."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from services.gateway.events.learning import LearningTransaction, Projection
from services.gateway.events.stream_events import stream_event_of
from services.gateway.resources.as_json import text
from services.gateway.resources.commands import store
from services.gateway.resources.commands.store import AnswerRow, StoredCommand
from services.gateway.resources.resource import AfterAnswer
from shared.messages import REGISTRY
from shared.messages.base import CommandAccepted, CommandRejected, Fault
from shared.wire.codec import Attributes, Envelope


def learn_answers(after: Mapping[str, Sequence[AfterAnswer]]) -> Projection:
    """Close the commands, show what they began (`after`, by the command's type), and wake whoever waits."""

    async def learn(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
        mine = {event.data.command_id: event for event in reversed(events)}
        answered = await store.answer(tx.conn, [_row(event) for event in mine.values()], tx.now)
        for kind in dict.fromkeys(row["type"] for row in answered):
            for learn_of in after.get(kind, ()):
                await learn_of(tx, [row for row in answered if row["type"] == kind])
        tx.stream_events += [stream_event_of(mine[row["command_id"]]) for row in answered]
        tx.answered += [_stored(row) for row in answered]

    return learn


def not_ours(attributes: Attributes) -> bool:
    """Whether a record is the answer to a command that a strategy sent, by its headers alone.

    People's commands begin a correlation of their own. The orchestrator sends thousands a second on behalf of a
    strategy, and theirs is that of the strategy; so their answers are not even parsed.
    """
    if attributes.get("ce_type") not in ANSWERS:
        return False
    cause = attributes.get("ce_causationid")
    return bool(cause) and cause != attributes.get("ce_correlationid")


def _stored(row: asyncpg.Record) -> StoredCommand:
    return StoredCommand(row["command_id"], row["fingerprint"], row["state"], row["result"], row["faults"])


def _row(event: Envelope[Any]) -> AnswerRow:
    answer: CommandAccepted | CommandRejected = event.data
    if isinstance(answer, CommandAccepted):
        return AnswerRow(answer.command_id, answer.command_type, "accepted", answer.result, "[]")
    reasons = answer.faults or (Fault(code=answer.code, field="", message="refused"),)
    faults = text([fault.model_dump(mode="json") for fault in reasons])
    return AnswerRow(answer.command_id, answer.command_type, "rejected", {}, faults)


KINDS = tuple(kind for kind in REGISTRY.values() if issubclass(kind, CommandAccepted | CommandRejected))
ANSWERS = frozenset(kind.TYPE for kind in KINDS)
