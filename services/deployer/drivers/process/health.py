"""Proof that a component is well: our own process answers over HTTP, as the version it shall be, for a while."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.process.keeper.folder import Folder, Launch
from services.deployer.drivers.process.keeper.mark import Mark
from services.deployer.drivers.process.port import listens, stranger
from services.deployer.drivers.process.release import RevisionSpec
from services.deployer.evidence import hide
from shared.json_pointer import value_at

LOOK_SECONDS = 0.1
ANSWER_SECONDS = 3.0
"""A component that takes longer to answer is not well."""
LAST_LINES, LINE_LENGTH, LAST_BYTES = 50, 500, 64_000


@dataclass(frozen=True, slots=True)
class Ill:
    """Why a component is not well at this moment."""

    code: str
    message: str


async def prove(folder: Folder, launch: Launch, spec: RevisionSpec, give_way: Callable[[], None]) -> None:
    """Return when the launched component is well and stayed so for its stable_seconds.

    Raises Failed: `exited` as soon as its process ends, `wrong_version` as soon as it says so, `unhealthy` or
    `port_taken` after its start_seconds. Calls `give_way` at each look, which may raise to end the wait.
    """
    health, begun, well_since = spec.component.health, time.monotonic(), None
    async with session() as http:
        while True:
            give_way()
            ill = await _examine(http, folder, launch, spec)
            now = time.monotonic()
            well_since = None if ill else well_since or now
            if ill and now - begun >= health.start_seconds:
                message = f"not healthy within {health.start_seconds:g} s: {ill.message}"
                raise Failed(ill.code, message, last_lines(folder, launch))
            if well_since and now - well_since >= health.stable_seconds:
                return
            await asyncio.sleep(LOOK_SECONDS)


def session() -> aiohttp.ClientSession:
    """A client for looking at components."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS), trust_env=False)


async def _examine(http: aiohttp.ClientSession, folder: Folder, launch: Launch, spec: RevisionSpec) -> Ill | None:
    mark = living(folder, launch)
    if mark is None:
        return Ill("unhealthy", "its process has not started yet")
    ill = await ask(http, launch.port, mark, spec)
    if ill and ill.code == "wrong_version":
        raise Failed(ill.code, ill.message, last_lines(folder, launch))
    return ill


def living(folder: Folder, launch: Launch) -> Mark | None:
    """The process of a launch; None before its start or in the instant of its end. Raises Failed if it has ended."""
    keeper = folder.keeper()
    kept = keeper is not None and keeper.alive()  # asked first: what it wrote before its end is read below
    life = folder.life()
    if life is None or life.launch != launch.id:
        return None
    if life.exit is not None:
        raise Failed(*_ended(launch, f"its process {_how(life.exit)}"), last_lines(folder, launch))
    alive = life.mark is not None and life.mark.alive()
    if not alive and not kept:
        raise Failed(*_ended(launch, "its process and its keeper ended"), last_lines(folder, launch))
    return life.mark if alive else None


def _how(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"


def _ended(launch: Launch, sentence: str) -> tuple[str, str]:
    if holder := stranger(None, launch.port):
        return "port_taken", f"{sentence}; port {launch.port} is used by {holder}"
    return "exited", sentence


async def ask(http: aiohttp.ClientSession, port: int, mark: Mark, spec: RevisionSpec) -> Ill | None:
    """Ask a running component how it is; None if it is well, and the version it shall be."""
    health = spec.component.health
    if ill := (await _get(http, port, health.path))[1]:
        return ill
    if not await asyncio.to_thread(listens, mark, port):
        holder = await asyncio.to_thread(stranger, mark, port)
        return Ill("port_taken", f"port {port} is answered by {holder or 'another process'}, not by the component")
    if health.version_path is None:
        return None
    body, ill = await _get(http, port, health.version_path)
    return ill or _compare(body, health.version_path, spec)


async def _get(http: aiohttp.ClientSession, port: int, path: str) -> tuple[bytes, Ill | None]:
    url = f"http://127.0.0.1:{port}{path}"
    try:
        async with http.get(url, allow_redirects=False) as answer:
            body = await answer.content.read(1_000_000)
            well = 200 <= answer.status < 300
            return body, None if well else Ill("unhealthy", f"GET {url} answered {answer.status}")
    except TimeoutError:
        return b"", Ill("unhealthy", f"GET {url} was not answered within {ANSWER_SECONDS:g} s")
    except aiohttp.ClientError as error:
        return b"", Ill("unhealthy", f"GET {url} failed: {error}")


def _compare(body: bytes, path: str, spec: RevisionSpec) -> Ill | None:
    pointer = spec.component.health.version_pointer
    try:
        found = value_at(json.loads(body), pointer)
    except (ValueError, LookupError, TypeError):
        return Ill("unhealthy", f"GET {path} answered no JSON with a version at {pointer}: {body[:100]!r}")
    if str(found) == spec.expected_version:
        return None
    return Ill("wrong_version", f"version {spec.expected_version} was expected, but GET {path} says {found}")


def last_lines(folder: Folder, launch: Launch) -> tuple[str, ...]:
    """The last words of a launch, without the secrets that it was given."""
    size = folder.log_size()
    begin = launch.log_from if launch.log_from <= size else 0  # the log was cut since then
    if size == 0:
        return ()
    with folder.log.open("rb") as log:
        log.seek(max(begin, size - LAST_BYTES), os.SEEK_SET)
        lines = log.read(LAST_BYTES).decode(errors="replace").splitlines()
    return tuple(line[:LINE_LENGTH] for line in hide(lines[-LAST_LINES:], launch.env))
