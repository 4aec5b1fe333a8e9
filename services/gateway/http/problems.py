"""Errors as RFC 9457 problems: what went wrong, and every fault with its field. Nothing of our inside."""

import errno
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from pydantic import Field

from services.gateway.commands.ask import CommandTooLarge, KeyReused, RoleNeeded
from services.gateway.commands.sealing import NoKeyYet
from services.gateway.http.statuses import http_status
from shared.blobs import NoRoom
from shared.core.errors import is_transient
from shared.messages.base import ErrorCode, Fault, Model, count_of, listed
from shared.wire.codec import new_id
from shared.wire.topics import LIVE

log = structlog.get_logger()

MOST_TOLD = 10
"""Faults in the one line that tells of them all."""

MAX_BYTES = 1_000_000
"""The most that a body may have, bundles excepted."""

MAX_SPEC_BYTES = LIVE["strategy.commands"].max_body
"""The most that the spec of a roll-out may have, which may name 100,000 sites."""

CONTENT_TYPE = "application/problem+json"
KEY = "Idempotency-Key"
_HALVES = re.compile("[\ud800-\udfff]")
"""Of surrogate pairs: what aiohttp makes of bytes in a header that are not UTF-8. No encoding has bytes for them."""

_TITLES = {460: "Checksum Mismatch"}
"""Of statuses that are not HTTP's own, but those of protocols over it (tus)."""

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


class ProblemView(Model):
    """An error (RFC 9457). `code` is for programs, `faults` lists every reason with its field."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    faults: tuple[Fault, ...] = Field(default=(), description="at most 100; then one of code `more_faults`")
    faults_count: int = Field(default=0, description="how many there are in all")
    instance: str | None = None


class Problem(Exception):
    """Raised anywhere below a request; becomes its answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        super().__init__(detail)

    @classmethod
    def of(cls, faults: Iterable[Fault], status: int | None = None) -> "Problem":
        """A refusal for these reasons (at least one); the first gives the code."""
        shown = listed(tuple(faults))
        told = shown[:MOST_TOLD]
        rest = [f"and {count_of(shown) - len(told)} more"] if len(told) < len(shown) else []
        detail = "; ".join([*(fault.in_words for fault in told), *rest])
        return cls(status or http_status(shown[0].code), shown[0].code, detail, shown)

    @classmethod
    def because(cls, code: str, message: str, field: str = "", value: object = None) -> "Problem":
        """A refusal for one reason."""
        return cls.of([Fault(code=code, field=field, message=message, value=value)])

    def response(self, instance: str | None = None) -> web.Response:
        """The answer to send."""
        facts = {
            "type": f"urn:belay:problem:{self.code}",
            "title": _TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": _sendable(self.detail),
            "code": self.code,
            "faults": [{name: _sendable(value) for name, value in fault} for fault in self.faults],
            "faults_count": count_of(self.faults),
        }
        body = orjson.dumps(facts | ({"instance": instance} if instance else {}), default=str)
        return web.Response(body=body, status=self.status, content_type=CONTENT_TYPE, headers=self.headers)


def is_text(value: str) -> bool:
    """Whether it can be written anywhere; see _HALVES."""
    return value.isprintable() or not _HALVES.search(value)


def _sendable(value: Any) -> Any:
    """A refusal that quotes what it refuses must not break at it."""
    return _HALVES.sub("\ufffd", value) if isinstance(value, str) else value


def unknown(kind: str, name: str) -> Problem:
    """404 for a resource that is not there."""
    return Problem.because(f"unknown_{kind}", f"there is no {kind.replace('_', ' ')} {name!r}", kind, name)


def too_large(limit: int) -> Problem:
    """413: the body is not read on."""
    return Problem(413, "too_large", f"the body is larger than the {limit} bytes that are taken")


def unreadable(message: str) -> Problem:
    """400: the body is not even JSON."""
    return Problem.because(ErrorCode.UNREADABLE, message)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised below into a problem; a defect of ours into a 500 that only names its log line."""
    request_id = request[REQUEST_ID] = new_id()
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the last resort: nobody gets a traceback, the log has it
        if (refusal := refusal_of(error, request)) is not None:
            return refusal.response()
        return problem_of_defect(error, request_id).response(f"urn:uuid:{request_id}")


def refusal_of(error: Exception, request: web.Request) -> Problem | None:
    """What a request is told that cannot be done as it was asked; None for what is no fault of who asked."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RoleNeeded | KeyReused | CommandTooLarge):
        return _of_ask(error)
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(error, request)
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return unreadable(f"the body cannot be read as its headers say: {_reason(error)}")
    return None


def _of_ask(refused: RoleNeeded | KeyReused | CommandTooLarge) -> Problem:
    """What `Commands.ask` does not even send."""
    if isinstance(refused, RoleNeeded):
        return Problem(403, "role_needed", str(refused))
    if isinstance(refused, KeyReused):
        return Problem.because(ErrorCode.COMMAND_ID_REUSED, str(refused), KEY, refused.key)
    return Problem.of([refused.fault], 413)


def _of_aiohttp(error: web.HTTPException, request: web.Request) -> Problem:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return too_large(MAX_SPEC_BYTES)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{error.method} is not possible here, only {allowed}"
        return Problem(405, "method_not_allowed", message, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return Problem(404, "unknown_route", f"nothing is served at {request.path}; see /openapi.json")
    return Problem(error.status, "http_error", error.reason)


def _reason(error: Exception) -> str:
    """aiohttp's own words, which it puts on the last line of several."""
    return str(error).strip().splitlines()[-1].strip()[:200]


def short_of_room(error: Exception) -> str:
    """How much is free and needed, where the store says it."""
    return str(error) if isinstance(error, NoRoom) else "there is no room left on the disk"


def problem_of_defect(error: Exception, request_id: str) -> Problem:
    """What is told of anything else: what passes is 503, a defect of ours 500; the log has it under this id."""
    if is_transient(error) and (getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)):
        detail = f"{short_of_room(error)}; the same request may succeed when there is room"
        return Problem(507, "disk_full", detail, headers={"Retry-After": "60"})
    if is_transient(error):
        log.warning("a request failed for now", action="request_failed", request=request_id, error=repr(error)[:200])
        away = str(error) if isinstance(error, NoKeyYet) else "the database or the blob store is away"
        detail = f"{away}; the same request may succeed in a moment"
        return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})
    log.error("a request broke", action="request_broke", request=request_id, exc_info=error)
    return Problem(500, ErrorCode.INTERNAL, f"Belay could not handle this request; the log has it as {request_id}")
