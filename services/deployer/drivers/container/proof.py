"""The proof that a container is well, and of the expected version."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from services.deployer.drivers.container.definition import Definition
from services.deployer.drivers.container.engine import Engine
from services.deployer.drivers.container.verdict import Verdict, check_seconds, has_check, verdict
from services.deployer.drivers.failed import Failed
from shared.components.container import filled


async def look(engine: Engine, container: str, borne: int = 0) -> Verdict:
    """How a container is at this moment; `borne`: restarts that are no trouble."""
    shown = await engine.show(container)
    before = verdict(shown, None, borne)
    if shown is None or before.over or not engine.podman or not has_check(shown) or not _running(shown):
        return before
    checked = await engine.checked(container, check_seconds(shown))
    return verdict(await engine.show(container), checked, borne)


def _running(shown: object) -> bool:
    return isinstance(shown, dict) and bool((shown.get("State") or {}).get("Running"))


async def prove(
    engine: Engine, container: str, wanted: Definition, safe_point: Callable[[], None], borne: int = 0
) -> None:
    """Return when the container is well and stayed so for its stable_seconds; `borne`: its restarts until now.

    Raises Failed: `exited` as soon as it ends, `unhealthy` after its start_seconds, `wrong_version` once it is well.
    Calls `safe_point` at each look, which may raise to end the wait.
    """
    health, begun, well_since = wanted.spec.health, time.monotonic(), None
    while True:
        safe_point()
        seen = await look(engine, container, borne)
        now = time.monotonic()
        if seen.over:
            raise Failed("exited", seen.why, await engine.last_lines(container))
        well_since = (well_since or now) if seen.well else None
        if well_since and now - well_since >= health.stable_seconds:
            return await _refuse_other_version(engine, container, wanted)
        if not seen.well and now - begun >= health.start_seconds:
            message = f"not healthy within {health.start_seconds:g} s: {seen.why}"
            raise Failed("unhealthy", message, await engine.last_lines(container))
        await asyncio.sleep(min(health.interval_seconds, health.stable_seconds or health.interval_seconds, 1))


async def _refuse_other_version(engine: Engine, container: str, wanted: Definition) -> None:
    command = wanted.spec.health.version_command
    if command is None:
        return
    try:
        async with asyncio.timeout(wanted.spec.health.timeout_seconds):
            status, said = await engine.run(container, [filled(word, wanted.words) for word in command])
    except TimeoutError:
        status, said = 1, f"nothing within {wanted.spec.health.timeout_seconds:g} s"
    expected = filled(wanted.spec.health.version, wanted.words)
    if status or said.strip() != expected:
        message = f"version {expected} was expected, but {' '.join(command)} says {said.strip()[:200]!r}"
        raise Failed("wrong_version", message, await engine.last_lines(container))
