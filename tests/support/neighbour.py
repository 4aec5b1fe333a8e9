"""A replica as it looks from outside: it answers, and says what is wrong with it. Nothing else of a service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from shared.process.health import Finding
from shared.process.settings import Settings
from shared.process.telemetry import add_routes, serve


@asynccontextmanager
async def neighbour(home: Path, findings: Sequence[Finding]) -> AsyncIterator[Settings]:
    """The first replica of the catalog; its note stays behind, as after a death."""

    async def figures() -> bytes:
        return b""

    async def parts() -> dict[str, bool]:
        return {"kafka": True}

    app, settings = web.Application(), Settings(home=home, instance="1")
    add_routes(app, figures, parts, lambda: findings)
    runner = await serve(app, settings, "catalog")
    try:
        yield settings
    finally:
        await runner.cleanup()
