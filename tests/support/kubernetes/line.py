"""A line to an API server that can be cut: connections through it end, and new ones are refused, until it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import yaml

from tests.support.kubernetes.lab import Lab


@dataclass
class Line:
    """A TCP proxy. TLS goes through it untouched: the certificate is for the same host."""

    target: int
    port: int = 0
    carried: int = 0
    """Connections so far."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def to(cls, lab: Lab) -> AsyncIterator[Line]:
        line = cls(lab.port)
        await line.mend()
        try:
            yield line
        finally:
            await line.cut()

    def kubeconfig(self, lab: Lab) -> str:
        """The administrator's, over this line."""
        config = lab.config
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        return yaml.safe_dump(config)

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.carried += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._writers -= ends
            for each in ends:
                each.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
