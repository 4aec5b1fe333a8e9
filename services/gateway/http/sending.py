"""How a request becomes a command, and its answer a response: the HTTP side of `commands/ask.py`."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.gateway.commands.action import Action
from services.gateway.commands.ask import Answer, Key
from services.gateway.commands.sender import Also
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.headers import header
from services.gateway.http.problems import KEY, MAX_BYTES, Problem
from services.gateway.http.routing import Call, Route
from services.gateway.http.statuses import http_status
from services.gateway.resources.commands.views import CommandAnswer
from shared.messages.base import Command, ErrorCode
from shared.wire.codec import new_id

OURS = frozenset({"fleet", "inbox", "strategy_id", "on_behalf"})
"""Fields of commands that people do not set: constants, and on whose behalf an operation is done."""

_KEY: TypeAdapter[str] = TypeAdapter(Key)


def command_route(
    method: str, path: str, action: Action, summary: str, *, inside: str = "", most: int = MAX_BYTES
) -> Route:
    """A route that sends a command made of the path and the body (which is its field `inside`, if that is given).

    `most` is the largest body in bytes.
    """
    kind = action.command
    from_path = frozenset(re.findall(r"{(\w+)}", path))
    hidden = from_path | OURS
    body: Any = kind.model_fields[inside].annotation if inside else without(kind, hidden)

    async def handle(call: Call) -> web.Response:
        sent = await read_object(call.request, most)
        facts = {inside: sent} if inside else {name: sent[name] for name in sent if name not in hidden}
        faults = [] if inside else hidden_faults(sent, hidden)
        return await send(call, formed(kind, {**facts, **call.path}, inside=inside, faults=faults))

    return action_route(method, path, action, handle, summary, body)


def action_route(
    method: str,
    path: str,
    action: Action,
    handle: Callable[[Call], Awaitable[web.StreamResponse]],
    summary: str,
    body: type[BaseModel] | None = None,
    **more: Any,
) -> Route:
    """A route whose handler makes the command itself; who may is said by the action."""
    return Route(
        method, path, handle, summary, action.role, body=body, answer=CommandAnswer, status=202, command=True, **more
    )


async def send(call: Call, command: Command, *, fingerprint: bytes = b"", also: Also | None = None) -> web.Response:
    """Send a command once for its key, and answer with what its owner says, or with `sent` when that takes long."""
    return response_of(await ask(call, command, fingerprint=fingerprint, also=also))


async def ask(call: Call, command: Command, *, fingerprint: bytes = b"", also: Also | None = None) -> Answer:
    """Ask what the request wants, as its headers say. Raises Problem 422 for these, and as `Commands.ask`."""
    return await call.gateway.commands.ask(
        command,
        call.who,
        command_id_of(call.request),
        patience=patience_of(call),
        target=call.request.path,
        fingerprint=fingerprint,
        also=also,
    )


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


def patience_of(call: Call) -> float:
    """Seconds to wait for the answer: the setting, or what the client prefers (RFC 7240), never longer."""
    most = call.gateway.own.answer_seconds
    preferred = ",".join(call.request.headers.getall("Prefer", ()))
    if "respond-async" in preferred:
        return 0
    wished = re.search(r"\bwait=(\d{1,4})\b", preferred)
    return min(int(wished[1]), most) if wished else most


def response_of(answer: Answer) -> web.Response:
    """202 with the answer, or with `sent` and where to ask for it. Raises Problem when the owner refused."""
    headers = {"Location": f"/v1/commands/{quote(answer.command_id, safe='')}"}
    if answer.state == "rejected":
        problem = Problem.of(answer.faults, http_status(answer.faults[0].code))
        problem.headers.update(headers)
        raise problem
    view = CommandAnswer(command_id=answer.command_id, state=answer.state, result=answer.result)
    return web.Response(body=view.model_dump_json(), status=202, content_type="application/json", headers=headers)
