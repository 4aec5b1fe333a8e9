"""Releases installed on a host: once each, shared by its sites, never half.

What is named `bundle`, `bundle-…` or `env-…` was finished: it is built under another name and renamed at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uv

from services.deployer.drivers.bundles import Unpack
from services.deployer.drivers.content import Laid
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.locks import locked
from services.deployer.drivers.process.release import RevisionSpec

OFFLINE = ("--offline", "--no-config", "--no-progress", "--color=never")
ERROR_LINES = 30


Told = Callable[[str], Awaitable[None]]


async def _nobody(_: str) -> None:
    """Nobody wants to know that a bundle is sent."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where an installed release lies: the files of its bundle, and the environment of one component."""

    bundle: Path
    env: Path


def lock_file(host: Path, sha256: str) -> Path:
    """The lock under which a bundle is installed or deleted."""
    return host / "installed" / f".{sha256}.lock"


async def install(
    host: Path, spec: RevisionSpec, unpack: Unpack, prepared: Laid | None = None, fetching: Told = _nobody
) -> Installed:
    """Install a revision's release unless it is there. Whoever comes second waits. Raises Failed.

    `prepared`: the files of the bundle that the component needs, where they lie on the site already. `fetching` is
    called before a bundle is sent.
    """
    base = host / "installed" / spec.bundle_sha256
    async with locked(lock_file(host, spec.bundle_sha256)):
        base.mkdir(exist_ok=True)
        await asyncio.to_thread(_sweep, base)
        bundle = await _bundle(base, spec.bundle_sha256, unpack, prepared, fetching)
        requirements = _requirements(bundle, spec)
        env = base / f"env-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
        return Installed(bundle, await _built(env, lambda draft: _environment(draft, bundle, requirements)))


async def _bundle(base: Path, sha256: str, unpack: Unpack, prepared: Laid | None, fetching: Told) -> Path:
    """The whole bundle where it lies already or nothing was prepared; else what was, under a name of its own."""
    whole = base / "bundle"
    if prepared and not await asyncio.to_thread(whole.exists):
        return await _built(base / f"bundle-{prepared.digest}", prepared.build)

    async def fetch(draft: Path) -> None:
        await fetching(sha256)
        await unpack(sha256, draft)

    return await _built(whole, fetch)


def _sweep(base: Path) -> None:
    """Remove what an installation left that was killed; under the lock, so nobody builds there now."""
    for draft in base.glob(".building-*"):
        shutil.rmtree(draft, ignore_errors=True)


async def _built(target: Path, build: Callable[[Path], Awaitable[None]]) -> Path:
    if not await asyncio.to_thread(target.exists):
        draft = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".building-", dir=target.parent))
        try:
            await build(draft / "x")
            (draft / "x").rename(target)
        finally:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    return target


def _requirements(bundle: Path, spec: RevisionSpec) -> Path:
    path = bundle / spec.component.requirements
    if not path.is_file():
        raise Failed("install_failed", f"the bundle has no file {spec.component.requirements}")
    return path


async def _environment(target: Path, bundle: Path, requirements: Path) -> None:
    """A virtual environment of our own Python with exactly the required wheels, from the bundle alone.

    Relocatable, because it is renamed when finished; compiled now, because sites share and never write it.
    """
    await _uv("venv", "--relocatable", "--no-project", "--python", sys.executable, str(target))
    await _uv(
        "pip", "install", "--no-index", "--find-links", str(bundle / "wheels"), "--require-hashes",
        "--only-binary", ":all:", "--no-cache", "--link-mode", "copy", "--compile-bytecode",
        "--python", str(target / "bin" / "python"), "--requirements", str(requirements),
    )  # fmt: skip


async def _uv(*arguments: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    running = await asyncio.create_subprocess_exec(
        uv.find_uv_bin(), *arguments, *OFFLINE,
        env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    if running.returncode:
        lines = tuple(said.decode(errors="replace").splitlines()[-ERROR_LINES:])
        raise Failed("install_failed", f"the release cannot be installed: {' '.join(lines)[:500]}", lines)
