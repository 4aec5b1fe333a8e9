"""Whether engines answer: asked of each without changing anything."""

from __future__ import annotations

import asyncio

import structlog

from services.deployer.drivers import REACH_SECONDS, Broken, Reachable, Reached
from services.deployer.drivers.container.connection import BadConnection, connection_of
from services.deployer.drivers.container.engine import Unreachable
from services.deployer.drivers.container.opening import Engines, Introduction
from services.deployer.drivers.failed import Failed

log = structlog.get_logger()

SECONDS = REACH_SECONDS - 1
BUSY_SECONDS = SECONDS - 2


async def reached(site: Reachable, known: dict[str, Reached], engines: Engines) -> Reached | Broken:
    """What the engine of a site says of itself, or why it does not answer.

    `known`: by site, what was said last; it stands where an engine answers but is too busy to say it again.
    """
    try:
        async with asyncio.timeout(SECONDS), engines.answering(connection_of(site.connection)) as introduction:
            known[site.site] = await _said(introduction) or known.get(site.site, Reached())
            return known[site.site]
    except BadConnection as error:
        return Broken("bad_connection", str(error))
    except Failed as failed:
        return failed.broken
    except Unreachable as error:
        return Broken("unreachable", str(error))
    except TimeoutError:
        return Broken("unreachable", f"the engine has not answered for {SECONDS:g} s")
    except Exception as error:  # a defect, at one site: the others are told all the same
        log.exception("a site could not be asked whether it answers", action="driver_failed", site=site.site)
        return Broken("internal_error", f"the driver failed: {error!r}"[:300])


async def _said(introduction: Introduction) -> Reached | None:
    """None where the engine does not say soon: one that is loading an image has locked its storage, and is well."""
    try:
        async with asyncio.timeout(BUSY_SECONDS):
            engine = await introduction()
            kind = "Podman" if engine.podman else "Docker"
            facts = {"platform": engine.platform, "engine": f"{kind} {engine.version}"}
            return Reached(await engine.free_bytes(), facts)
    except (TimeoutError, Unreachable):
        return None
