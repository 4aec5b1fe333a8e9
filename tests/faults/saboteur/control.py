"""The channel over which a saboteur gets its orders: one unix socket a process, one JSON line each way."""

import asyncio
import json
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 3.0


class Deaf(Exception):
    """The process does not take orders: it is dead, frozen, or not up yet."""


def socket_of(home: Path, name: str) -> Path:
    """Where a process listens."""
    return home / "run" / f"{name}.orders"


def listen(path: Path, obey: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Take orders in a thread of its own, so that a busy event loop takes them too."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(BrokenPipeError):  # whoever gave the order waited no longer
                if asked := self.rfile.readline():
                    self.wfile.write(json.dumps(obey(json.loads(asked))).encode() + b"\n")

    path.unlink(missing_ok=True)
    server = socketserver.UnixStreamServer(str(path), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


async def order(home: Path, name: str, **what: Any) -> dict[str, Any]:
    """Give an order; returns the answer. Raises Deaf, and ValueError for an order that is refused."""
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await _ask(socket_of(home, name), what)
    except (OSError, TimeoutError, json.JSONDecodeError) as error:
        raise Deaf(f"{name} takes no orders: {error!r}") from error
    if "refused" in answer:
        raise ValueError(f"{name} refused {what}")
    return answer


async def _ask(path: Path, what: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(json.dumps(what).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()
