"""Refusals in dcmanager's form: a page of HTML, from which its command line reads the words, or JSON by `Accept`."""

import html
import re
from collections.abc import Sequence
from http import HTTPStatus

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from services.gateway.http.problems import problem_of_defect, refusal_of
from shared.wire.codec import new_id

IDENTITY = "/v3"
"""Below this path errors are Keystone's."""

MOST_TOLD = 20
"""Faults that one answer tells."""

EXPLANATIONS = {
    400: "The request is malformed or otherwise incorrect.",
    401: "The request needs a valid token.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    405: "The method is not allowed for this resource.",
    409: "The request conflicts with the state of the resource.",
    410: "This resource is no longer available.",
    413: "The body of the request is too large.",
    422: "The request was understood but cannot be carried out.",
    500: "Belay could not handle this request.",
    503: "Belay cannot answer just now; try again in a moment.",
}
"""Beneath the title of a page, before the detail: clients take the second line for it."""

_QUALITY = re.compile(r";\s*q=([0-9.]+)")


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


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised below into an answer; of a defect of ours nothing but the id of its log line."""
    try:
        return await handler(request)
    except Refused as refused:
        return answer(request, refused.status, refused.detail)
    except Exception as error:  # noqa: BLE001 - the last resort: nobody gets a traceback, the log has it
        problem = refusal_of(error, request) or problem_of_defect(error, new_id())
        return answer(request, problem.status, problem.detail, problem.headers)


def answer(request: web.Request, status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error in the form that the client asks for."""
    headers = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = f'Keystone uri="{request.url.origin()}{IDENTITY}"'
    title = HTTPStatus(status).phrase
    if request.path.rstrip("/").startswith(IDENTITY):
        return _json({"error": {"code": status, "title": title, "message": detail}}, status, headers)
    if wants_json(request.headers.get(hdrs.ACCEPT, "")):
        return _json({"code": status, "title": title, "description": detail}, status, headers)
    text = _page(f"{status} {title}", EXPLANATIONS.get(status, title), detail)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def wants_json(accept: str) -> bool:
    """Whether a client names JSON, and does not like HTML better. Without `Accept`, and for `*/*`, it is HTML."""
    kinds = {part.partition(";")[0].strip().lower(): _quality(part) for part in accept.split(",")}
    return kinds.get("application/json", 0) > 0 and kinds["application/json"] >= kinds.get("text/html", 0)


def _quality(part: str) -> float:
    found = _QUALITY.search(part)
    try:
        return float(found[1]) if found else 1.0
    except ValueError:
        return 0.0


def _json(body: dict[str, object], status: int, headers: dict[str, str]) -> web.Response:
    sent = orjson.dumps(body, default=str)
    return web.Response(body=sent, status=status, content_type="application/json", headers=headers)


def _page(title: str, explanation: str, detail: str) -> str:
    lines = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>",
        f"  <h1>{title}</h1>\n  {explanation}<br /><br />\n{html.escape(_sendable(detail), quote=False)}\n",
        " </body>\n</html>\n",
    )
    return "\n".join(lines)


def _sendable(text: str) -> str:
    """What quotes bytes that are no text must not break at them."""
    return text.encode("utf-8", "replace").decode()
