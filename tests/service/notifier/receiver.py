"""A webhook receiver that behaves as it is told, and remembers what came."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.patience import patience


@dataclass(slots=True)
class Receiver:
    """`answers` are the statuses of the next requests, the last one for ever; `hang` never answers.

    What is not taken is answered with `headers` and `words`.
    """

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    hang: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    words: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """One request."""
        body = await request.read()
        async with self.news:
            self.got.append((dict(request.headers), body))
            self.news.notify_all()
        if self.hang:
            await self.closing.wait()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 302:
            return web.Response(status=status, headers={"Location": "/elsewhere"})
        return (
            web.Response(status=status)
            if status < 300
            else web.Response(status=status, headers=self.headers, text=self.words)
        )

    async def until(self, enough: Callable[["Receiver"], bool]) -> None:
        """Wait until what came is enough."""
        async with patience(20), self.news:
            await self.news.wait_for(lambda: enough(self))

    @property
    def messages(self) -> list[Any]:
        """What the notifications said."""
        return [json.loads(body)["data"]["message"] for _, body in self.got]


@asynccontextmanager
async def receiving(**behaviour: Any) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(**behaviour)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.closing.set()
        await runner.cleanup()
