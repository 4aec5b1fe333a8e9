"""A link to a server, by which bytes are counted, slowed, damaged and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PIECE = 65_536
Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@dataclass
class Link:
    """All connections by one way; what is set of it counts from the next piece on."""

    dial: Dial
    sent: int = 0
    """Bytes that went to the server, over all connections."""
    bytes_a_second: float = 0
    at: int = -1
    """Once so many bytes have gone there, `then` is called, once."""
    then: Callable[[], object] = lambda: None
    damage_at: int = -1
    """The byte of this number becomes another."""
    damages: bool = False
    """So does one of every large piece."""
    silent: bool = False
    """Nothing is passed on any more, and nobody is told."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _relays: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """End all connections in the middle."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection."""
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is said, and what is answered, until either ends."""
        ours = {writer}
        try:
            there, back = await self.dial()
            ours.add(back)
            self._writers |= ours
            async with asyncio.TaskGroup() as group:
                answers = group.create_task(_copy(there, writer))
                while piece := await reader.read(PIECE):
                    await self._pass_on(piece, back)
                back.write_eof()
                await answers
        except (ExceptionGroup, OSError):
            pass  # cut by either
        finally:
            self._writers -= ours
            for each in ours:
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()

    async def _pass_on(self, piece: bytes, back: asyncio.StreamWriter) -> None:
        if self.silent:
            await asyncio.Event().wait()
        hit = self.sent <= self.damage_at < self.sent + len(piece)
        if hit or (self.damages and len(piece) > PIECE // 2):
            where = self.damage_at - self.sent if hit else len(piece) // 2
            piece = piece[:where] + bytes([piece[where] ^ 0x55]) + piece[where + 1 :]
        back.write(piece)
        await back.drain()
        before, self.sent = self.sent, self.sent + len(piece)
        if before < self.at <= self.sent:
            self.then()
        if self.bytes_a_second:
            await asyncio.sleep(len(piece) / self.bytes_a_second)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    writer.close()  # who said all that it wanted may not be heard out


@asynccontextmanager
async def socket_link(path: Path, server: Path) -> AsyncIterator[Link]:
    """A socket at `path` that leads to the one of a server."""
    link = Link(lambda: asyncio.open_unix_connection(server))
    listening = await asyncio.start_unix_server(link.take, path)
    try:
        yield link
    finally:
        listening.close()
        await link.close()


@asynccontextmanager
async def port_link(server: int) -> AsyncIterator[tuple[Link, int]]:
    """A port of this machine that leads to another."""
    link = Link(lambda: asyncio.open_connection("127.0.0.1", server))
    listening = await asyncio.start_server(link.take, "127.0.0.1", 0)
    try:
        yield link, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await link.close()


@asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """A port that takes connections and says nothing, as behind a firewall that drops what it is sent."""
    async with port_link(1) as (link, port):
        link.dial = _never
        yield port


async def _never() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    await asyncio.Event().wait()
    raise AssertionError
