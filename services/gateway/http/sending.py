"""Commands: noted, audited and put in the outbox in one transaction; then their answer is waited for.

The `Idempotency-Key` is the command's id on Kafka. It is not scoped to the token: a command published by a Kafka
client and the same one sent over HTTP with the same id are the same command.
"""

import asyncio
import hashlib
import itertools
import re
import time
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from aiohttp import web
from pydantic import StringConstraints, TypeAdapter, ValidationError

from services.gateway.commands.read_your_writes import Look, Shown
from services.gateway.commands.sender import Also, Letter
from services.gateway.domain import Role, http_status
from services.gateway.gateway import Gateway
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.headers import header
from services.gateway.http.problems import MAX_BYTES, Problem
from services.gateway.http.routing import Call, Route
from services.gateway.resources.commands.store import Noted
from services.gateway.resources.commands.views import CommandAnswer
from shared.messages.base import Command, ErrorCode, Fault
from shared.wire.codec import new_id
from shared.wire.topics import LIVE

KEY = "Idempotency-Key"
OURS = frozenset({"fleet", "inbox", "strategy_id"})
"""Fields of commands that people do not set: constants, and on whose behalf an operation is done."""
SHOWN_SECONDS = 2.0
SHOWN_POLLS = (0.005, 0.01, 0.02, 0.05)
NOT_DOTS = r"([!-~]*[!-,\-/-~][!-~]*|\.{3,})"
"""Printable ASCII, but neither `.` nor `..`: a path that ends so is another path, and the answer could not be read."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=f"^{NOT_DOTS}$")]
_KEY: TypeAdapter[str] = TypeAdapter(Key)


def command_route(
    method: str,
    path: str,
    kind: type[Command],
    summary: str,
    *,
    inside: str = "",
    role: Role = Role.OPERATOR,
    shown: Shown | None = None,
    most: int = MAX_BYTES,
) -> Route:
    """A route that sends a command made of the path and the body (which is its field `inside`, if that is given).

    `most` is the largest body in bytes.
    """
    from_path = frozenset(re.findall(r"{(\w+)}", path))
    hidden = from_path | OURS
    body: Any = kind.model_fields[inside].annotation if inside else without(kind, hidden)

    async def handle(call: Call) -> web.Response:
        sent = await read_object(call.request, most)
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
    gateway, command_id = call.gateway, command_id_of(call.request)
    content = content_of(command)
    if len(content) > LIVE[command.TOPIC].max_body:
        raise _oversize(command, len(content))
    fingerprint = fingerprint or _digest(content)
    with gateway.waiting.for_command(command_id) as answer:
        letter = Letter(command_id, command, fingerprint, call.who, call.request.path, also)
        noted = same(await gateway.postbox.ask(letter), fingerprint)
        if noted.state == "sent" and (patience := patience_of(call)):
            await asyncio.wait([answer], timeout=patience)
        if answer.done() and not answer.cancelled():
            noted = answer.result()
    if noted.state == "accepted" and shown:
        await _until_shown(gateway, Look(shown, command_id, command))
    return answer_of(noted)


def same(noted: Noted, fingerprint: bytes) -> Noted:
    """What is noted, if it is a command with this content. Raises Problem 409."""
    if noted.fingerprint != fingerprint:
        message = "this key was used before for a command with other content; take a new one"
        raise Problem.because(ErrorCode.COMMAND_ID_REUSED, message, KEY, noted.command_id)
    return noted


async def _until_shown(gateway: Gateway, look: Look) -> None:
    """So that what was accepted can be read at once: its events may be some milliseconds behind the answer."""
    until = time.monotonic() + SHOWN_SECONDS
    for seconds in itertools.chain(SHOWN_POLLS, itertools.repeat(SHOWN_POLLS[-1])):
        if await gateway.showing.ask(look) or time.monotonic() > until:
            return
        await asyncio.sleep(seconds)


def command_id_of(request: web.Request) -> str:
    """The key of the request, or a fresh id. Raises Problem 422 when it cannot be an id."""
    key = header(request, KEY)
    if key is None:
        return new_id()
    try:
        return _KEY.validate_python(key)
    except ValidationError:
        message = "must be 1 to 200 printable ASCII characters without spaces, and not . or ..; a UUID by custom"
        raise Problem.because(ErrorCode.INVALID_FIELD, message, KEY, key[:200]) from None


def content_of(command: Command) -> bytes:
    """The meaning: another order of fields or white space is the same command, also when a version adds a field."""
    return (command.TYPE + command.model_dump_json(exclude_defaults=True)).encode()


def fingerprint_of(command: Command) -> bytes:
    """Of its meaning."""
    return _digest(content_of(command))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _oversize(command: Command, size: int) -> Problem:
    """413, found before the command is noted: in its transaction it would take those of others with it."""
    path: list[str] = []
    inner: Any = command.model_dump(mode="json", exclude_defaults=True)
    while isinstance(inner, dict) and inner:
        name = max(inner, key=lambda key: len(orjson.dumps(inner[key])))
        path.append(name)
        inner = inner[name]
    most = LIVE[command.TOPIC].max_body
    message = f"the command would have {size} bytes, most of them here; {most} are taken"
    return Problem.of([Fault(code=ErrorCode.TOO_LARGE, field=".".join(path), message=message, value=size)], 413)


def patience_of(call: Call) -> float:
    """Seconds to wait for the answer: the setting, or what the client prefers (RFC 7240), never longer."""
    most = call.gateway.knobs.answer_seconds
    preferred = ",".join(call.request.headers.getall("Prefer", ()))
    if "respond-async" in preferred:
        return 0
    wished = re.search(r"\bwait=(\d{1,4})\b", preferred)
    return min(int(wished[1]), most) if wished else most


def answer_of(noted: Noted) -> web.Response:
    """202 with the answer, or with `sent` and where to ask for it. Raises Problem when the owner refused."""
    headers = {"Location": f"/v1/commands/{quote(noted.command_id, safe='')}"}
    if noted.state == "rejected":
        faults = [Fault.model_validate(fault) for fault in noted.faults]
        problem = Problem.of(faults, http_status(faults[0].code))
        problem.headers.update(headers)
        raise problem
    answer = CommandAnswer(command_id=noted.command_id, state=noted.state, result=noted.result)
    return web.Response(body=answer.model_dump_json(), status=202, content_type="application/json", headers=headers)
