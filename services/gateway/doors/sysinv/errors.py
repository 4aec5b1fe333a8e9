"""Refusals in sysinv's form: JSON within JSON, from which its command line reads the text; or XML, by `Accept`."""

import json
from http import HTTPStatus
from xml.etree.ElementTree import Element, SubElement, tostring

from aiohttp import hdrs, web

from services.gateway.doors.errors import Refusal, errors_as, json_error, likes_better, sendable
from services.gateway.doors.sysinv.as_xml import printable


def answer(request: web.Request, refusal: Refusal) -> web.Response:
    """An error in the form that the client asks for."""
    # Their client takes a text that holds this word for one more layer of JSON, and breaks at it.
    text = sendable(refusal.detail).replace("error_message", "error message")
    status, headers = refusal.status, refusal.headers
    if wants_xml(request):
        return web.Response(body=_xml(status, text), status=status, content_type="application/xml", headers=headers)
    facts = {"debuginfo": None, "faultcode": _faultcode(status)}
    inner = {"faultstring": text} if refusal.framed else {**facts, "faultstring": text}
    return json_error({"error_message": json.dumps(inner)}, status, headers)


answer_errors = errors_as(answer)


def wants_xml(request: web.Request) -> bool:
    """Whether a client likes XML better than JSON."""
    accept = request.headers.get(hdrs.ACCEPT, "")
    return any(
        likes_better(accept, kind, "application/json") and not likes_better(accept, "application/json", kind)
        for kind in ("application/xml", "text/xml")
    )


def _faultcode(status: int) -> str:
    return "Server" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Client"


def _xml(status: int, text: str) -> bytes:
    outer = Element("error_message")
    error = SubElement(outer, "error")
    SubElement(error, "faultcode").text = _faultcode(status)
    SubElement(error, "faultstring").text = printable(text)
    SubElement(error, "debuginfo")
    return tostring(outer)
