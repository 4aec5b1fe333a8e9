"""A program that is watched while it works: what it says comes line by line, and silence for too long ends it."""

import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.patience import stretched

STALLED = 120.0
"""Seconds without a line. Beside other load everything takes longer, but something always goes on."""


class Running:
    """Iterate over its lines; afterwards `status` is its exit status, and `said` all that it said."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> None:
        self.said: list[str] = []
        self.status: int | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def __iter__(self) -> Iterator[str]:
        threading.Thread(target=self._read, daemon=True).start()
        try:
            while (line := self._next()) is not None:
                self.said.append(line)
                yield line
            self.status = self._process.wait(STALLED)
        finally:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def _next(self) -> str | None:
        try:
            return self._lines.get(timeout=stretched(STALLED))
        except queue.Empty:
            raise AssertionError(f"it said nothing for {STALLED:g} s; at last: {self.tail()}") from None

    def tail(self) -> str:
        """The end of what it said."""
        return "".join(self.said[-40:])
