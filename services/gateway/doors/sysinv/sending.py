"""Answers as sysinv sends them: JSON, or XML where a client likes that better; where there is nothing, nothing."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from services.gateway.doors.call import as_json
from services.gateway.doors.sysinv.as_xml import as_xml
from services.gateway.doors.sysinv.errors import wants_xml


def sent(request: web.Request, value: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value, null included."""
    if wants_xml(request):
        return web.Response(body=as_xml(value), content_type="application/xml", headers=headers)
    return as_json(value, headers=headers)


def nothing(status: int = 204, headers: Mapping[str, str] | None = None) -> web.Response:
    """No content, and no type of it either: clients take that for nothing."""
    return web.Response(status=status, headers=headers)
