"""A web server with one file that a test may make slow, break off, change, or lead elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

PIECE = 64 * 1024


@dataclass
class FileSource:
    """What it serves at `/…`, and what it was asked for."""

    content: bytes
    etag: str | None = '"one"'
    status: int = 200
    port: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    moved_to: str | None = None
    stalls_after: int | None = None
    """It sends so many bytes of an answer, and then nothing until `goes_on`."""
    breaks_after: int | None = None
    says_length: bool = True
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    began: list[int] = field(default_factory=list)
    """From which byte on it was asked for, each time."""
    sent: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/lamp.tar.gz"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.moved_to:
            raise web.HTTPFound(self.moved_to)
        if self.status != 200:
            return web.Response(status=self.status)
        start = self._start(request)
        self.began.append(start)
        answer = web.StreamResponse(status=206 if start else 200, headers=self.headers)
        if self.etag:
            answer.headers["ETag"] = self.etag
        if start:
            answer.headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        if self.says_length:
            answer.content_length = len(self.content) - start
        await answer.prepare(request)
        await self._send(request, answer, start)
        return answer

    def _start(self, request: web.Request) -> int:
        asked = request.headers.get("Range")
        if asked is None or request.headers.get("If-Range") != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    async def _send(self, request: web.Request, answer: web.StreamResponse, start: int) -> None:
        for at in range(start, len(self.content), PIECE):
            if self.breaks_after is not None and at - start >= self.breaks_after and request.transport:
                request.transport.close()
                return
            if self.stalls_after is not None and at - start >= self.stalls_after:
                await self.goes_on.wait()
            await answer.write(self.content[at : at + PIECE])
            self.sent += len(self.content[at : at + PIECE])


@asynccontextmanager
async def file_source(content: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[FileSource]:
    """Run it on this machine."""
    made = FileSource(content, scheme="https" if tls else "http")
    app = web.Application()
    app.router.add_get("/{name:.*}", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=tls)
    await site.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        made.goes_on.set()
        await runner.cleanup()
