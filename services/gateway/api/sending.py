"""Commands: noted, audited and put in the outbox in one transaction; then their answer is waited for.

The `Idempotency-Key` is the command's id on Kafka. It is not scoped to the token: a command published by a Kafka
client and the same one sent over HTTP with the same id are the same command.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from services.gateway.api.bodies import formed, hidden_faults, read_object, without
from services.gateway.api.commands import CommandAnswer
from services.gateway.api.problems import Problem
from services.gateway.api.routes import Call, Route
from services.gateway.domain import Role, http_status
from services.gateway.store import commands
from services.gateway.waiting import looks
from shared.codec import new_id
from shared.db import Connection
from shared.ledger import Turn
from shared.messages.base import Command, ErrorCode, Fault
from shared.messages.words import Identifier

KEY = "Idempotency-Key"
OURS = frozenset({"fleet", "inbox", "strategy_id"})
"""Fields of commands that people do not set: constants, and on whose behalf an operation is done."""

SHOWN_SECONDS = 2.0
SHOWN_POLLS = (0.005, 0.01, 0.02, 0.05)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)

Shown = Callable[[Connection, str, Any], Awaitable[bool]]
"""Whether the read model shows what this accepted command (id, command) created."""

Also = Callable[[Turn], Awaitable[None]]
"""Something to be written in the transaction that notes the command."""


def command_route(
    method: str,
    path: str,
    kind: type[Command],
    summary: str,
    *,
    inside: str = "",
    role: Role = Role.OPERATOR,
    shown: Shown | None = None,
) -> Route:
    """A route that sends a command made of the path and the body (which is its field `inside`, if that is given)."""
    from_path = frozenset(re.findall(r"{(\w+)}", path))
    hidden = from_path | OURS
    body: Any = kind.model_fields[inside].annotation if inside else without(kind, hidden)

    async def handle(call: Call) -> web.Response:
        sent = await read_object(call.request)
        facts = {inside: sent} if inside else {name: sent[name] for name in sent if name not in hidden}
        faults = [] if inside else hidden_faults(sent, hidden)
        command = formed(kind, {**facts, **call.path}, inside=inside, faults=faults)
        return await send(call, command, shown=shown)

    return Route(method, path, handle, summary, role, body=body, answer=CommandAnswer, status=202, command=True)


async def send(
    call: Call, command: Command, *, fingerprint: bytes = b"", shown: Shown | None = None, also: Also | None = None
) -> web.Response:
    """Send a command once for its key, and answer with what its owner says, or with `sent` when that takes long.

    `fingerprint` stands for its content, where the command itself differs from one try to the next.
    """
    command_id = command_id_of(call.request)
    with call.gateway.waiting.for_command(command_id) as bell:
        row = await _note(call, command_id, command, fingerprint or fingerprint_of(command), also)
        for seconds in looks(patience_of(call)):
            if row["state"] != "sent" or call.gateway.waiting.over:
                break
            await bell.wait(seconds)
            async with call.gateway.pool.acquire() as conn:
                row = await _found(conn, command_id)
    if row["state"] == "accepted" and shown:
        await _until_shown(call, shown, command_id, command)
    return answer_of(row)


async def _note(call: Call, command_id: str, command: Command, fingerprint: bytes, also: Also | None) -> asyncpg.Record:
    """Note and send the command, unless its key was used before. Raises Problem 409 when that was for another."""
    async with call.gateway.ledger.turn() as turn:
        body = command.model_dump(mode="json")
        if await claim(turn, call, command_id, command.TYPE, fingerprint, body, "sent"):
            turn.emit(command, message_id=command_id, actor=call.who.name)
            if also:
                await also(turn)
        row = await _found(turn.conn, command_id)
    return same(row, fingerprint)


async def claim(
    turn: Turn, call: Call, command_id: str, kind: str, fingerprint: bytes, body: dict[str, Any], result: str
) -> bool:
    """Note and audit a command under its key; False when the key was used before."""
    named: dict[str, Any] = {"command_id": command_id, "kind": kind, "fingerprint": fingerprint, "body": body}
    fresh = await commands.put(turn.conn, actor=call.who.name, now=turn.now, **named)
    if fresh:
        target = call.request.path
        await commands.audit(turn.conn, call.who, kind, target, now=turn.now, result=result, command_id=command_id)
    return fresh


def same(row: asyncpg.Record, fingerprint: bytes) -> asyncpg.Record:
    """The row, if it is of a command with this content. Raises Problem 409."""
    if row["fingerprint"] != fingerprint:
        message = "this key was used before for a command with other content; take a new one"
        raise Problem.because(ErrorCode.COMMAND_ID_REUSED, message, KEY, row["command_id"])
    return row


async def _found(conn: Connection, command_id: str) -> asyncpg.Record:
    row = await commands.find(conn, command_id)
    if row is None:
        raise LookupError(f"the command {command_id} was pruned while it was waited for")
    return row


async def _until_shown(call: Call, shown: Shown, command_id: str, command: Command) -> None:
    """So that what was accepted can be read at once: its events may be some milliseconds behind the answer."""
    for seconds in looks(SHOWN_SECONDS, SHOWN_POLLS):
        async with call.gateway.pool.acquire() as conn:
            if await shown(conn, command_id, command):
                return
        await asyncio.sleep(seconds)


def command_id_of(request: web.Request) -> str:
    """The key of the request, or a fresh id. Raises Problem 422 when it cannot be an id."""
    key = request.headers.get(KEY)
    if key is None:
        return new_id()
    try:
        return _IDENTIFIER.validate_python(key)
    except ValidationError:
        message = "must be 1 to 200 printable ASCII characters without spaces; a UUID by custom"
        raise Problem.because(ErrorCode.INVALID_FIELD, message, KEY, key[:200]) from None


def fingerprint_of(command: Command) -> bytes:
    """Of the meaning: another order of fields or white space is the same command."""
    content = command.TYPE + command.model_dump_json(exclude_defaults=True)  # the same when a version adds a field
    return hashlib.blake2b(content.encode(), digest_size=16).digest()


def patience_of(call: Call) -> float:
    """Seconds to wait for the answer: the setting, or what the client prefers (RFC 7240), never longer."""
    most = call.gateway.knobs.answer_seconds
    preferred = ",".join(call.request.headers.getall("Prefer", ()))
    if "respond-async" in preferred:
        return 0
    wished = re.search(r"\bwait=(\d{1,4})\b", preferred)
    return min(int(wished[1]), most) if wished else most


def answer_of(row: asyncpg.Record) -> web.Response:
    """202 with the answer, or with `sent` and where to ask for it. Raises Problem when the owner refused."""
    headers = {"Location": f"/v1/commands/{row['command_id']}"}
    if row["state"] == "rejected":
        faults = [Fault.model_validate(fault) for fault in row["faults"]]
        problem = Problem.of(faults, http_status(faults[0].code))
        problem.headers.update(headers)
        raise problem
    answer = CommandAnswer(command_id=row["command_id"], state=row["state"], result=row["result"])
    return web.Response(body=answer.model_dump_json(), status=202, content_type="application/json", headers=headers)
