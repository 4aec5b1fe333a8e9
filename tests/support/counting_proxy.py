"""A socket before an engine's that counts requests, and does something in the midst of one of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

REQUEST = re.compile(rb"^(GET|POST|DELETE|PUT|HEAD) (\S+) HTTP/1\.1\r\n", re.MULTILINE)


Answer = Callable[[str], tuple[int, str] | None]
"""A status and a sentence in the place of the engine, which never hears of the request then; None = it is passed on."""


@dataclass
class CountingProxy:
    """Relays to `engine`. Once the request of number `at` has been passed on, and the engine is at it, calls `then`."""

    engine: Path
    at: int
    then: Callable[[], object]
    answer: Answer = lambda _: None
    requests: list[str] = field(default_factory=list)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self.engine)
        answers = asyncio.create_task(_copy(there, writer))
        try:
            while piece := await reader.read(65536):
                before = len(self.requests)
                self.requests += (asked := [f"{m[1].decode()} {m[2].decode()}" for m in REQUEST.finditer(piece)])
                if asked and (said := self.answer(asked[0])):
                    writer.write(_response(*said))
                    continue
                back.write(piece)
                await back.drain()
                if before < self.at <= len(self.requests):
                    self.then()
        except ConnectionError:
            pass  # the victim is dead
        finally:
            answers.cancel()
            back.close()
            writer.close()


def _response(status: int, sentence: str) -> bytes:
    body = json.dumps({"message": sentence}).encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.close()
    except ConnectionError:
        pass


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: Path) -> None:
    """Pass on all that is said, and what is answered."""
    await CountingProxy(engine, -1, lambda: None).relay(reader, writer)


@asynccontextmanager
async def counting(
    path: Path, engine: Path, at: int, then: Callable[[], object], answer: Answer = lambda _: None
) -> AsyncIterator[CountingProxy]:
    """The proxy at a path, until the block is left."""
    proxy = CountingProxy(engine, at, then, answer)
    server = await asyncio.start_unix_server(proxy.relay, path)
    try:
        yield proxy
    finally:
        server.close()
