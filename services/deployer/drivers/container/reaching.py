"""Whether engines answer: asked of each without changing anything."""

from __future__ import annotations

import asyncio

from services.deployer.drivers import REACH_SECONDS, Broken, Reachable, Reached
from services.deployer.drivers.container.connection import BadConnection, connection_of
from services.deployer.drivers.container.engine import Engine, Unreachable
from services.deployer.drivers.container.opening import opened
from services.deployer.drivers.failed import Failed

SECONDS = REACH_SECONDS - 1


async def reached(site: Reachable) -> Reached | Broken:
    """What the engine of a site says of itself, or why it does not answer."""
    try:
        async with asyncio.timeout(SECONDS), opened(connection_of(site.connection)) as engine:
            return await _asked(engine)
    except BadConnection as error:
        return Broken("bad_connection", str(error))
    except Failed as failed:
        return failed.broken
    except Unreachable as error:
        return Broken("unreachable", str(error))
    except TimeoutError:
        return Broken("unreachable", f"the engine has not answered for {SECONDS:g} s")


async def _asked(engine: Engine) -> Reached:
    kind = "Podman" if engine.podman else "Docker"
    return Reached(await engine.free_bytes(), {"platform": engine.platform, "engine": f"{kind} {engine.version}"})
