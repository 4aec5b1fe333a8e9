"""Refusals in dcmanager's form: a page of HTML, from which its command line reads the words, or JSON by `Accept`."""

import html
from http import HTTPStatus

from aiohttp import hdrs, web

from services.gateway.doors.errors import Refusal, errors_as, json_error, likes_better, sendable

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


def answer(request: web.Request, refusal: Refusal) -> web.Response:
    """An error in the form that the client asks for: JSON where it is named and HTML is not liked better."""
    status, detail, headers, _ = refusal
    title = HTTPStatus(status).phrase
    if likes_better(request.headers.get(hdrs.ACCEPT, ""), "application/json", "text/html"):
        return json_error({"code": status, "title": title, "description": detail}, status, headers)
    text = _page(f"{status} {title}", EXPLANATIONS.get(status, title), detail)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


answer_errors = errors_as(answer)


def _page(title: str, explanation: str, detail: str) -> str:
    lines = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>",
        f"  <h1>{title}</h1>\n  {explanation}<br /><br />\n{html.escape(sendable(detail), quote=False)}\n",
        " </body>\n</html>\n",
    )
    return "\n".join(lines)
