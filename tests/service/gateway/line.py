"""A connection to a gateway on which any bytes may be sent, be they HTTP or not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.service.gateway.api import Api
from tests.support.patience import patience

PROBLEM = "application/problem+json"
LATIN = "\udcff"
"""A byte that is not UTF-8, as Python writes it into a header."""


@dataclass
class Said:
    """One answer on a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        assert self.headers["content-type"] == PROBLEM, (self.headers, self.body)
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return problem


class Line:
    """A connection on which any bytes may be sent."""

    def __init__(self, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._token, self._reader, self._writer = token, reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, api: Api, url: str = "") -> AsyncIterator["Line"]:
        """To the API, or to the address of a door."""
        host, port = (url or api.url).removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield cls(api.token, reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def send(self, start: str, *headers: str, body: bytes = b"") -> None:
        """A request of ours with further headers; a surrogate in them is sent as the byte that it stands for."""
        lines = [f"{start} HTTP/1.1", *headers]
        if not any(header.startswith("Host") for header in headers):
            lines.append("Host: x")
        if not any(header.startswith("Authorization") for header in headers):
            lines.append(f"Authorization: Bearer {self._token}")
        if body and not any(header.startswith(("Content-Length", "Transfer-Encoding")) for header in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.write("\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def end(self) -> None:
        self._writer.write_eof()

    async def said(self, method: str = "GET") -> Said:
        """The next answer."""
        async with patience(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
            length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
            return Said(int(first.split()[1]), headers, await self._reader.readexactly(length))

    async def closed(self) -> bool:
        async with patience(10):
            return not await self._reader.read()


async def once(api: Api, start: str, *headers: str, body: bytes = b"", url: str = "") -> Said:
    """One request on a connection of its own."""
    async with Line.to(api, url) as line:
        line.send(start, *headers, body=body)
        return await line.said(start.split(maxsplit=1)[0])
