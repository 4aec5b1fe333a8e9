"""Locks that the system lets go when their holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """The descriptor that holds the lock until it is closed, or None while somebody else has it.

    A child process holds it too if the descriptor is passed on to it, and only then.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock_within(path: Path, seconds: float) -> int | None:
    """Like `try_lock`, trying again for so long."""
    until = time.monotonic() + seconds
    while (descriptor := try_lock(path)) is None and time.monotonic() < until:
        time.sleep(0.02)
    return descriptor


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold a file lock, after waiting for it without blocking the loop or a thread."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while (lock := try_lock(path)) is None:  # noqa: ASYNC110  held by other processes too, which no event reaches
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        os.close(lock)
