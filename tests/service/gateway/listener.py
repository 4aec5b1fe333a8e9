"""A client of the event stream that notes what it hears."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.service.gateway.api import Api
from tests.support.patience import come, patience

PATIENCE = 20.0


@dataclass
class Heard:
    """One event of the stream."""

    position: int
    type: str
    subject: str = ""
    data: Any = None


@dataclass
class Listener:
    """Everything heard so far; `position` also moves with heartbeats."""

    heard: list[Heard] = field(default_factory=list)
    position: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """It was told from where on it hears everything."""

    async def until(self, enough: Callable[[list[Heard]], bool]) -> list[Heard]:
        """What was heard, once it is enough."""
        try:
            await come(self.news, lambda: enough(self.heard), lambda: len(self.heard), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"heard only {[(h.position, h.type) for h in self.heard]}") from None
        return self.heard

    async def note(self, block: dict[str, str]) -> None:
        """Take in one block of the stream."""
        async with self.news:
            self.position = int(block.get("id", self.position))
            if "data" in block:
                facts = json.loads(block["data"])
                self.heard.append(Heard(self.position, block["event"], facts.get("subject", ""), facts["data"]))
            self.news.notify_all()
        self.begun.set()


@asynccontextmanager
async def listening(api: Api, query: str = "", resume_from: int | None = None) -> AsyncIterator[Listener]:
    """Listen until the end of the block; whatever comes after its begin is heard."""
    listener = Listener()
    headers = {"Authorization": f"Bearer {api.token}"}
    if resume_from is not None:
        headers["Last-Event-ID"] = str(resume_from)
    async with api.http.get(f"{api.url}/v1/events{query}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        task = asyncio.create_task(_listen(answer.content, listener))
        try:
            if resume_from is None:  # what is told before its place is known, it does not hear
                async with patience(PATIENCE):
                    await listener.begun.wait()
            yield listener
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _listen(lines: Any, listener: Listener) -> None:
    block: dict[str, str] = {}
    async for raw in lines:
        line = raw.decode().rstrip("\n")
        if not line:
            await listener.note(block)
            block = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            block[name] = value
