"""Dead letters: records that could not be handled, and their replay."""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from services.gateway.commands.ask import same
from services.gateway.commands.sender import claim
from services.gateway.domain import Role
from services.gateway.http.bodies import formed, read_object
from services.gateway.http.pages import Page, Paging, cursor, page, start
from services.gateway.http.problems import Problem
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_id_of
from services.gateway.resources.audit.store import AuditRow
from services.gateway.resources.commands import store as commands
from services.gateway.resources.commands.store import CommandRow
from services.gateway.resources.commands.views import CommandAnswer
from services.gateway.resources.dead_letters.store import LIVE, PICK_BYTES, DeadLetters, TooManyBytes, renamed
from services.gateway.resources.dead_letters.views import (
    SHOWN_CHARACTERS,
    DeadLetterView,
    DeadTopicView,
    ReplayBody,
    WholeLetterView,
)
from services.gateway.resources.resource import Resource
from shared.core.transaction import Transaction
from shared.messages.base import Fault
from shared.wire.codec import as_it_was, header

REPLAY = "belay.gateway.replay_dead_letters.v1"


async def list_topics(call: Call) -> Page[DeadTopicView]:
    """GET /v1/dlq."""
    counts = await DeadLetters(call.gateway.settings).counts()
    rows = [{"topic": topic, "count": count} for topic, count in sorted(counts.items())]
    return page(Page[DeadTopicView], rows, Paging(limit=1000), lambda row: [row["topic"]])


async def list_letters(call: Call) -> Page[DeadLetterView]:
    """GET /v1/dlq/{topic}. What a record says is for admins, as the audit is: it may be the address of a webhook."""
    topic = _topic(call)
    (after,) = start(call.query, -1)
    records, more = await DeadLetters(call.gateway.settings).read(topic, after + 1, call.query.limit)
    hidden: dict[str, Any] = {} if call.who.role.may(Role.ADMIN) else {"key": None, "headers": {}, "body": None}
    items = [{**_view(record), **hidden} for record in records]
    following = cursor([records[-1].offset]) if more else None
    return Page[DeadLetterView].model_validate({"items": items, "next": following})


async def get_letter(call: Call) -> WholeLetterView:
    """GET /v1/dlq/{topic}/{offset}."""
    topic, text = _topic(call), call.path["offset"]
    offset = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
    records = await DeadLetters(call.gateway.settings).pick(topic, [offset])
    if offset not in records:
        raise Problem.because("unknown_dead_letter", f"{topic} has no dead letter at {text[:20]}", "offset", text[:20])
    record = records[offset]
    headers = [{"name": name, "value": _base64(value)} for name, value in as_it_was(record)]
    exact = {"key": _base64(record.key), "headers": headers, "body": _base64(record.value)}
    return WholeLetterView.model_validate({**_view(record), "record": exact})


def _topic(call: Call) -> str:
    if (topic := call.path["topic"]) not in LIVE:
        raise Problem.because("unknown_topic", f"there is no such topic; there are {', '.join(LIVE)}", "topic", topic)
    return topic


def _view(record: Any) -> dict[str, Any]:
    return {
        "offset": record.offset,
        "origin": header(record, "belay_dlq_origin"),
        "code": header(record, "belay_dlq_code"),
        "reason": header(record, "belay_dlq_reason"),
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in as_it_was(record)},
        "body": _text(record.value),
        "at": datetime.fromtimestamp(record.timestamp / 1000, UTC),
    }


def _text(value: bytes | None) -> str | None:
    """No more of it than is shown is looked at: a body may have many megabytes."""
    return None if value is None else value[: 4 * SHOWN_CHARACTERS].decode(errors="replace")[:SHOWN_CHARACTERS]


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


async def replay(call: Call) -> CommandAnswer:
    """POST /v1/dlq/{topic}/replay: the records go back to their topic, once for the key of the request."""
    topic, body = _topic(call), formed(ReplayBody, await read_object(call.request))
    command_id = command_id_of(call.request)
    records = await _picked(call, topic, body.offsets)
    if faults := [_missing(topic, offset) for offset in body.offsets if offset not in records]:
        raise Problem.of(faults)
    facts = {"topic": topic, "offsets": sorted(records)}
    fingerprint = hashlib.blake2b(f"{topic} {sorted(records)}".encode(), digest_size=16).digest()
    row = CommandRow(command_id, REPLAY, call.who.name, fingerprint, facts)
    audit = AuditRow(call.who.name, call.who.role, REPLAY, call.request.path, topic, command_id, "done")
    async with call.gateway.ledger.transaction() as tx:
        stored = (await claim(tx, [(row, audit)]))[command_id]
        if stored.fresh:
            result = {"topic": topic, "replayed": _send_again(tx, topic, records, command_id)}
            await commands.close(tx.conn, command_id, result, tx.now)
            stored = stored._replace(result=result)
    same(stored, fingerprint)
    return CommandAnswer(command_id=command_id, state="accepted", result=stored.result)


async def _picked(call: Call, topic: str, offsets: Sequence[int]) -> dict[int, Any]:
    try:
        return await DeadLetters(call.gateway.settings).pick(topic, offsets)
    except TooManyBytes as error:
        message = f"these are more than {PICK_BYTES} bytes together; send {len(error.fit)} of them first: {error.fit}"
        raise Problem.of([Fault(code="too_large", field="offsets", message=message)], 413) from error


def _missing(topic: str, offset: int) -> Fault:
    message = f"{topic} has no dead letter at {offset}"
    return Fault(code="unknown_dead_letter", field="offsets", message=message, value=offset)


def _send_again(tx: Transaction, topic: str, records: dict[int, Any], command_id: str) -> list[dict[str, Any]]:
    """Events keep their id; a command gets a fresh one, for the old one was answered when it was put aside."""
    sent = []
    for offset, record in sorted(records.items()):
        headers, identifier = as_it_was(record), header(record, "ce_id")
        if topic.endswith(".commands"):
            identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{command_id}/{topic}/{offset}"))
            headers = renamed(headers, identifier)
        tx.emit_raw(topic, record.key, headers, record.value)
        sent.append({"offset": offset, "id": identifier})
    return sent


ROUTES = (
    Route("GET", "/v1/dlq", list_topics, "Topics that have dead letters", answer=Page[DeadTopicView]),
    Route("GET", "/v1/dlq/{topic}", list_letters, "Dead letters", query=Paging, answer=Page[DeadLetterView]),
    Route(
        "GET", "/v1/dlq/{topic}/{offset}", get_letter, "A dead letter, byte by byte", Role.ADMIN,
        answer=WholeLetterView,
    ),
    Route(
        "POST", "/v1/dlq/{topic}/replay", replay, "Send dead letters once more", Role.ADMIN,
        body=ReplayBody, answer=CommandAnswer, status=202, command=True,
    ),
)  # fmt: skip


Offset = Annotated[str, Field(pattern="^[0-9]{1,18}$")]
Topic = Annotated[str, Field(json_schema_extra={"enum": list(LIVE)})]

RESOURCE = Resource(
    {"dlq": "Records that nobody could handle"}, ROUTES, {"dlq/{topic}": Topic, "{topic}/{offset}": Offset}
)
