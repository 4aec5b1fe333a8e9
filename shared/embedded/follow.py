"""One stream of lines out of many log files, each line behind the name of its program."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

#: A line without end is cut here, so that it cannot grow in memory.
LONGEST_LINE = 64_000


class Tail:
    """New lines of one file. A rotated file is read to its end before the new one is begun."""

    def __init__(self, path: Path, *, from_start: bool) -> None:
        self._path, self._rest = path, b""
        self._file: BinaryIO | None = None
        if not from_start and (file := self._open()):
            file.seek(0, os.SEEK_END)
            self._file = file

    def lines(self) -> Iterator[str]:
        """Every complete line since the last call."""
        yield from self._rest_of_file()
        if self._rotated():
            self.close()
            self._file = self._open()
            yield from self._rest_of_file()

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _rest_of_file(self) -> Iterator[str]:
        if self._file is None:
            return
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            yield line.decode(errors="replace")

    def _rotated(self) -> bool:
        try:
            there = self._path.stat().st_ino
        except FileNotFoundError:  # between the two renames of a rotation
            return False
        return self._file is None or os.fstat(self._file.fileno()).st_ino != there

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None


class Follower:
    """A thread that shows what all programs write to `*.log` of a folder. Use as a context manager."""

    def __init__(self, folder: Path, show: Callable[[str, str], None]) -> None:
        self._folder, self._show = folder, show
        self._tails = {path: Tail(path, from_start=False) for path in self._files()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for tail in self._tails.values():
            tail.close()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"))

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self._read()
        self._read()  # the last words of what has just ended

    def _read(self) -> None:
        for path in self._files():
            # A file that we did not find at the beginning is new as a whole.
            tail = self._tails.setdefault(path, Tail(path, from_start=True))
            for line in tail.lines():
                self._show(path.stem, line)
