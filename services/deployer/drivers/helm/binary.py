"""Helm itself, run: a bounded number at a time, with secrets in memory only, ended with the deployer."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers.failed import Failed

PASSED_ON = ("PATH", "LANG", "TZ", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
             "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
"""All that helm sees of the deployer's environment, which holds passwords."""

STOP_SECONDS = 10
"""From SIGTERM, at which helm writes down that it was stopped, to SIGKILL."""

LAST_LINES = 50


@dataclass(frozen=True, slots=True)
class Ran:
    """How a helm ended."""

    status: int
    stdout: bytes
    words: str

    @property
    def well(self) -> bool:
        return self.status == 0

    @property
    def last_lines(self) -> tuple[str, ...]:
        return tuple(line for line in self.words.splitlines() if line.strip())[-LAST_LINES:]


class Helm:
    """The helm of this host. `folder` is its own: nothing of the user's Helm is read or changed."""

    def __init__(self, binary: str, folder: Path, processes: int) -> None:
        self._binary = binary
        self._folder = folder
        self._free = asyncio.Semaphore(processes)

    async def run(self, arguments: Sequence[str], files: Sequence[int], stop: Callable[[], Awaitable[object]]) -> Ran:
        """Run it to its end; `files` are descriptors that it inherits. When `stop` returns first, it is told to end.

        Raises Failed `tool_missing`.
        """
        program = self._program()
        async with self._free:
            return await self._run([*program, *arguments], files, stop)

    async def _run(self, command: Sequence[str], files: Sequence[int], stop: Callable[[], Awaitable[object]]) -> Ran:
        process = await asyncio.create_subprocess_exec(
            *command, pass_fds=files, env=self._environment(), cwd="/", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        stopping = asyncio.create_task(_stop_when(stop, process))
        try:
            stdout, stderr = await process.communicate()
        finally:
            stopping.cancel()
            await _kill(process)
        return Ran(process.returncode or 0, stdout, stderr.decode(errors="replace"))

    def _program(self) -> list[str]:
        helm = shutil.which(self._binary)
        if helm is None:
            message = f"there is no {self._binary} here: install Helm 3 or 4, or name it in BELAY_HELM_BINARY"
            raise Failed("tool_missing", message)
        # Two helms at once would be one too many: this one ends with the deployer, however that ends.
        leash = shutil.which("setpriv")
        return [leash, "--pdeathsig", "KILL", "--", helm] if leash else [helm]

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        own = {f"HELM_{name}_HOME": f"{folder}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**passed, **own, "HOME": folder, "HELM_PLUGINS": f"{folder}/plugins", "HELM_DRIVER": "secret"}


async def _stop_when(stop: Callable[[], Awaitable[object]], process: asyncio.subprocess.Process) -> None:
    await stop()
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    await asyncio.sleep(STOP_SECONDS)
    with suppress(ProcessLookupError):
        process.kill()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Whoever was waiting for it may have been cancelled: it must not go on without us."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
