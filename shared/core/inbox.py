"""Commands are answered exactly once: by id, with the same answer for the same content, for ever (until pruned)."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.core.errors import Unreadable
from shared.core.transaction import SQL, Transaction
from shared.messages import REGISTRY
from shared.messages.base import (
    Command,
    CommandAccepted,
    CommandRejected,
    ErrorCode,
    Fault,
    Message,
    count_of,
    listed,
)
from shared.wire.codec import Envelope, Record, decode, header, is_id, readable

Answer = CommandAccepted | CommandRejected
_ANSWERS = uuid.UUID("6f0c5a52-52a5-4f0e-8e57-0f2f4d3c9b11")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A handler's word that it took a command; `result` names what the command created."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A handler's word that it refused a command, with every reason."""

    faults: tuple[Fault, ...]

    @staticmethod
    def because(code: str, message: str, where: str = "", value: Any = None) -> "Rejected":
        """A refusal for one reason."""
        return Rejected((Fault(code=code, field=where, message=message, value=value),))


Reply = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it came, with the fingerprint of its content."""

    envelope: Envelope[Command]
    fingerprint: bytes


def asked(envelope: Envelope[Command]) -> Asked:
    """Fingerprint the meaning, not the bytes: another order of fields or white space is the same command.

    So is one whose sender leaves out a default, or does not know a field that was added since.
    """
    content = envelope.data.TYPE + envelope.data.model_dump_json(exclude_defaults=True)
    return Asked(envelope, hashlib.blake2b(content.encode(), digest_size=16).digest())


async def sort_out(tx: Transaction, commands: Sequence[Asked]) -> list[Asked]:
    """The commands that are new, in order. Those answered before get the same answer again, right away."""
    rows = await SQL.fetch(tx.conn, "find_answers", command_ids=[c.envelope.id for c in commands])
    known = {row["command_id"]: row for row in rows}
    fresh = []
    for command in commands:
        row = known.get(command.envelope.id)
        if row is None:
            fresh.append(command)
        elif row["fingerprint"] == command.fingerprint:
            known_answer: Any = REGISTRY[row["answer_type"]].model_validate_json(row["answer"])
            _send(tx, known_answer, command.envelope, row["answered_at"])
        else:
            _refuse_reuse(tx, command.envelope)
    return fresh


def split_repeats(commands: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """First sights of each id, and ids that come again within the same batch (to be sorted out after the first)."""
    seen: set[str] = set()
    first: list[Asked] = []
    again: list[Asked] = []
    for command in commands:
        (again if command.envelope.id in seen else first).append(command)
        seen.add(command.envelope.id)
    return first, again


async def answer(tx: Transaction, commands: Sequence[Asked], replies: Sequence[Reply], before: int) -> None:
    """Keep and send one answer a command; they go out ahead of what the handler emitted from position `before` on."""
    caused = tx.outbox[before:]
    del tx.outbox[before:]
    answers = [_answer(c.envelope, v) for c, v in zip(commands, replies, strict=True)]
    bodies = [_send(tx, reply, c.envelope) for c, reply in zip(commands, answers, strict=True)]
    tx.outbox.extend(caused)
    for command, reply in zip(commands, answers, strict=True):
        if isinstance(reply, CommandRejected):
            _tell_refusal(tx, type(command.envelope.data), reply, command.envelope)
    await SQL.run(
        tx.conn,
        "keep_answers",
        ids=[c.envelope.id for c in commands],
        fingerprints=[c.fingerprint for c in commands],
        types=[reply.TYPE for reply in answers],
        answers=bodies,
        now=tx.now,
    )


async def answer_unreadable(tx: Transaction, record: Record, faults: tuple[Fault, ...], owner: str) -> None:
    """A command that cannot be read, or handled, still gets its one answer, where it has an id to answer to."""
    command_id = header(record, "ce_id")
    if not is_id(command_id):
        return
    fingerprint = _fingerprint_of(record)
    known = await SQL.row(tx.conn, "find_answers", command_ids=[command_id])
    if known and known["fingerprint"] != fingerprint:
        faults = (_reused(command_id),)
    reply = _class(owner, "command_rejected")(
        command_id=command_id,
        command_type=readable(header(record, "ce_type")),
        about=readable((record.key or b"").decode(errors="replace")),
        code=faults[0].code,
        **_bounded(faults),
    )
    tx.emit(reply, sequence=1, message_id=_answer_id(reply), correlation_id=command_id)
    if known is None:
        _tell_refusal(tx, REGISTRY.get(reply.command_type), reply)
        values = {"types": [reply.TYPE], "answers": [reply.model_dump_json()], "now": tx.now}
        await SQL.run(tx.conn, "keep_answers", ids=[command_id], fingerprints=[fingerprint], **values)


def _tell_refusal(
    tx: Transaction, kind: type[Message] | None, reply: CommandRejected, cause: Envelope[Any] | None = None
) -> None:
    """Also of a command that could not be read: whoever waits for its end must hear that there is none to come."""
    if kind is None or not issubclass(kind, Command):
        return
    if event := kind.told_when_refused(reply.command_id, reply.faults):
        tx.emit(event, sequence=1, cause=cause, correlation_id=reply.command_id)


def _fingerprint_of(record: Record) -> bytes:
    """As of any command where it can be read: one whose handler broke may come again, and be answered alike."""
    try:
        envelope: Any = decode(record)
    except Unreadable:
        return hashlib.blake2b((record.value or b"")[:1_000_000], digest_size=16).digest()
    return asked(envelope).fingerprint


def _answer(envelope: Envelope[Command], reply: Reply) -> Answer:
    command = envelope.data
    facts = {"command_id": envelope.id, "command_type": command.TYPE, "about": command.key}
    answer: Answer
    if isinstance(reply, Accepted):
        answer = _class(command.OWNER, "command_accepted")(**facts, result=reply.result)
    else:
        code = reply.faults[0].code
        answer = _class(command.OWNER, "command_rejected")(**facts, code=code, **_bounded(reply.faults))
    return answer


def _bounded(faults: Sequence[Fault]) -> dict[str, Any]:
    """So that the answer fits its topic, whatever a service found: 100,000 sites that do not exist are one refusal."""
    shown = listed(faults)
    return {"faults": shown, "faults_count": count_of(shown) if len(shown) < count_of(shown) else 0}


def _refuse_reuse(tx: Transaction, envelope: Envelope[Command]) -> None:
    # Not kept: the first answer stays the one that belongs to this id.
    _send(tx, _answer(envelope, Rejected((_reused(envelope.id),))), envelope)


def _reused(command_id: str) -> Fault:
    message = "this id was used before for a command with other content; take a new id"
    return Fault(code=ErrorCode.COMMAND_ID_REUSED, field="ce_id", message=message, value=command_id)


def _send(tx: Transaction, reply: Answer, envelope: Envelope[Command], at: datetime | None = None) -> str:
    """Send an answer; returns its body. One that is told again says when it was given: listeners go by that time, and
    must not take it for something new."""
    tx.emit(reply, sequence=1, cause=envelope, message_id=_answer_id(reply), at=at)
    return (tx.outbox[-1][3] or b"").decode()


def _answer_id(reply: Answer) -> str:
    """The same answer always has the same message id, so that a repeated answer is recognised as such."""
    reason = reply.code if isinstance(reply, CommandRejected) else ""
    return str(uuid.uuid5(_ANSWERS, f"{reply.TYPE} {reason} {reply.command_id}"))


def _class(owner: str, name: str) -> type[Any]:
    """The owner's own class of answer."""
    return REGISTRY[f"belay.{owner}.{name}.v1"]
