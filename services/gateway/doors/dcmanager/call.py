"""A request at the door of dcmanager: what it sends, as JSON or as a form."""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.gateway.doors.call import Call as _Call
from services.gateway.doors.call import json_object
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.errors import Refused
from services.gateway.http.problems import is_text

_LINE_GOES_ON = re.compile(rb"\\\r?\n")
"""A backslash at the end of a line is JSON nowhere; their own examples, pasted into a shell, send it all the same."""

OWN: web.AppKey[DcmanagerSettings] = web.AppKey("dcmanager", DcmanagerSettings)


@dataclass(frozen=True, slots=True)
class Call(_Call):
    """A request that was let in."""

    @property
    def own(self) -> DcmanagerSettings:
        """The settings of this door."""
        return self.request.app[OWN]

    @property
    def type(self) -> str | None:
        """`?type=`; None where it is not given."""
        return self.request.query.get("type")

    async def body(self) -> dict[str, Any]:
        """The JSON object that was sent, whatever its Content-Type. Raises Refused 400 for what is none, or empty."""
        found = json_object(_LINE_GOES_ON.sub(b"\n", await self.request.read()))
        if not found:
            raise Refused(400, "Body required")
        return found

    async def form(self) -> dict[str, Any]:
        """The same, where it may also be a form: text fields only. Raises Refused 400."""
        if not self.request.content_type.startswith(("multipart/", "application/x-www-form-urlencoded")):
            return await self.body()
        try:
            sent = await self.request.post()
        except (ValueError, RuntimeError, AssertionError, LookupError) as error:  # aiohttp, of what is no such form
            raise Refused(400, f"Request body is malformed: it is not the form of its headers: {error}") from None
        if not sent:
            raise Refused(400, "Body required")
        found = {name: value if isinstance(value, str) else "(a file)" for name, value in sent.items()}
        if any("\x00" in text or not is_text(text) for pair in found.items() for text in pair):
            raise Refused(400, "Request body is malformed: a field of it is no text")
        return found
