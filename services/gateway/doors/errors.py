"""What a door refuses, and how whatever is raised below a request becomes an answer in that door's own form."""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from services.gateway.http.problems import problem_of_defect, refusal_of
from shared.wire.codec import new_id

IDENTITY = "/v3"
"""Below this path errors are Keystone's, at every door."""

MOST_TOLD = 20
"""Faults that one answer tells."""

_QUALITY = re.compile(r";\s*q=([0-9.]+)")


class Refusal(NamedTuple):
    """What a request is told that is not done."""

    status: int
    detail: str
    headers: dict[str, str]
    framed: bool
    """Whether that was found before what is asked for was looked at: who asks, by which method and path."""


Answer = Callable[[web.Request, Refusal], web.Response]


class Refused(Exception):
    """A request that is answered with this status, for these reasons."""

    def __init__(self, status: int, *reasons: str) -> None:
        self.status = status
        self.reasons = reasons
        super().__init__("; ".join(reasons))

    @property
    def detail(self) -> str:
        """All reasons, one after the other."""
        more = len(self.reasons) - MOST_TOLD
        return "; ".join([*self.reasons[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def refuse(status: int, reasons: Sequence[str]) -> None:
    """Raises Refused, if there is any reason to."""
    if reasons:
        raise Refused(status, *reasons)


def errors_as(answer: Answer) -> Middleware:
    """Turns whatever is raised below into an answer; of a defect of ours nothing is told but the id of its log line."""

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            framed = refused.status == HTTPStatus.UNAUTHORIZED
            return _answered(answer, request, Refusal(refused.status, refused.detail, {}, framed))
        except Exception as error:  # noqa: BLE001 - the last resort: nobody gets a traceback, the log has it
            problem = refusal_of(error, request) or problem_of_defect(error, new_id())
            return _answered(
                answer, request, Refusal(problem.status, problem.detail, dict(problem.headers), framed=True)
            )

    return errors


def _answered(answer: Answer, request: web.Request, refusal: Refusal) -> web.Response:
    status, headers = refusal.status, refusal.headers
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = f'Keystone uri="{request.url.origin()}{IDENTITY}"'
    if request.path.rstrip("/").startswith(IDENTITY):
        title = HTTPStatus(status).phrase
        return json_error({"error": {"code": status, "title": title, "message": refusal.detail}}, status, headers)
    return answer(request, refusal)


def json_error(body: dict[str, object], status: int, headers: dict[str, str]) -> web.Response:
    """An error as JSON."""
    sent = orjson.dumps(body, default=str)
    return web.Response(body=sent, status=status, content_type="application/json", headers=headers)


def likes_better(accept: str, kind: str, other: str) -> bool:
    """Whether a client names one media type, and does not like the other better."""
    kinds = {part.partition(";")[0].strip().lower(): _quality(part) for part in accept.split(",")}
    return kinds.get(kind, 0) > 0 and kinds[kind] >= kinds.get(other, 0)


def sendable(text: str) -> str:
    """What quotes bytes that are no text must not break at them."""
    return text.encode("utf-8", "replace").decode()


def _quality(part: str) -> float:
    found = _QUALITY.search(part)
    try:
        return float(found[1]) if found else 1.0
    except ValueError:
        return 0.0
