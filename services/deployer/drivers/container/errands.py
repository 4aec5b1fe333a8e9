"""Orders of one errand: to have an image ahead of time, to take a component away."""

from __future__ import annotations

from itertools import islice

from services.deployer.drivers import Done
from services.deployer.drivers.container import around, images
from services.deployer.drivers.container.definition import Definition
from services.deployer.drivers.container.engine import Engine
from services.deployer.drivers.container.images import Source
from services.deployer.drivers.container.names import Place
from services.deployer.drivers.container.pulling import Pulls
from services.deployer.drivers.container.sending import forget_parts
from services.deployer.drivers.durable.run import Run, unless_cancelled
from services.deployer.drivers.failed import Failed
from shared.core.retrying import back_offs, pause

MOST_LOOKS = 10
"""For containers that come back, about ten seconds."""


async def fetch(run: Run, engine: Engine, source: Source, wanted: Definition, pulls: Pulls) -> Done:
    """Have the image on the engine, so that a later apply fetches nothing."""
    await unless_cancelled(run, _have(run, engine, source, wanted, pulls))
    await forget_parts(engine, {item.sha256 for item in run.order.items})  # of one that died right before
    return Done(wanted.revision, f"has {wanted.image.by_digest}")


async def _have(run: Run, engine: Engine, source: Source, wanted: Definition, pulls: Pulls) -> None:
    if wanted.spec.pull != "always" and await images.found_on(engine, wanted.image) is not None:
        await images.have(engine, wanted, source)
        return
    run.report("waits for its turn at the image", 1)
    async with pulls.alone(source.connection.url, wanted.image):
        if not run.order.items and await images.found_on(engine, wanted.image) is None:
            await pulls.refuse_full_disk(engine, wanted, source.connection)
        await pulls.have(lambda: images.have(engine, wanted, source), run.report)


async def discard(run: Run, engine: Engine) -> Done:
    """Remove the images that may go, where nothing on the engine needs them."""
    gone = await images.discard(engine, run.order.items)
    return Done("", f"removed {', '.join(gone)}" if gone else "nothing was there that may go")


async def remove(run: Run, engine: Engine, wanted: Definition) -> Done:
    """Take the component's containers away, whoever made them; its named volumes stay unless the spec gives them up."""
    await _clear(run, engine, wanted.place)
    await around.clear_networks(engine, wanted.place)
    if wanted.spec.remove_volumes:
        removed, used = await around.remove_volumes(engine, wanted)
        gone = f"removed, with its volumes {', '.join(removed)}" if removed else "removed"
        return Done("", f"{gone}; others still use {', '.join(used)}" if used else gone)
    kept = around.named_volumes(wanted)
    return Done("", f"removed; its volumes stay: {', '.join(kept)}" if kept else "removed")


async def _clear(run: Run, engine: Engine, place: Place) -> None:
    """Until the engine lists none: what a killed deployer asked it to make appears when it is made."""
    for seconds in islice(back_offs(), MOST_LOOKS):
        found = await engine.at(place)
        if not found:
            return
        for seen in found:
            run.report(f"removes {seen.name}", 50)
            await engine.stop(seen.id)
            await engine.delete(seen.id)
        await pause(seconds)
    raise Failed("engine_refused", f"somebody makes the container {found[0].name} again each time that it is removed")
