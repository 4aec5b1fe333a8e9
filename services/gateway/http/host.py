"""The Host of a request: where its sender found us. Addresses that are told of ourselves are made of it."""

import re

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from services.gateway.http.problems import Problem
from shared.messages.base import ErrorCode

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]*)?")
"""With its port (RFC 3986). What else came here would stand in addresses and headers of our answers."""


@web.middleware
async def must_be_a_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises Problem 400 before anything is done (RFC 9112): `request.url` would raise ValueError wherever it is read,
    also where a refusal is being made of something else."""
    if not _is_host(request):
        message = "must be the name or the address of this server, and perhaps its port"
        raise Problem.because(ErrorCode.UNREADABLE, message, hdrs.HOST, request.host[:200])
    return await handler(request)


def _is_host(request: web.Request) -> bool:
    try:
        return bool(_HOST.fullmatch(request.host)) and request.url.origin().host is not None
    except ValueError:
        return False
