"""What a process is working on at this moment, in a few bytes that outlive it: who died of which record?

The mark lies in a file that is mapped into memory. Writing it costs a microsecond and no system call, so it is written
for every transaction; the kernel keeps it when the process is killed, runs out of memory or crashes. It is gone, or
recognised as old, when the whole machine goes: a loss of power blames no record.
"""

import asyncio
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

SIZE = 65_536
"""Bytes of the file: a poll over some thousand partitions. More is not marked, and nobody blamed."""

HEAD = 8
BOOT = Path("/proc/sys/kernel/random/boot_id")

Span = tuple[str, int, int, int]
"""Topic, partition, first offset, and the offset behind the last one."""


class WorkMark:
    """The mark of one replica. Whoever opens it first reads what its predecessor left."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be had."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            # Written, and not only made so long: in a hole a full disk would end the process at its first mark.
            file.write(bytes(max(SIZE - file.seek(0, os.SEEK_END), 0)))
            file.truncate(SIZE)
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self._boot = _boot_id()
        self._left = self._read()
        self._stopping = False
        self._clear()

    def take(self) -> list[Span]:
        """What the predecessor was working on when it ended; told once."""
        left, self._left = self._left, []
        return left

    @contextmanager
    def on(self, spans: Sequence[Span]) -> Iterator[None]:
        """While these records are in work. What a handler raises is survived; what ends the process leaves it."""
        self._write(spans)
        try:
            yield
        except (Exception, asyncio.CancelledError, SystemExit):
            self._clear()
            raise
        self._clear()

    def stop(self) -> None:
        """The process was told to end: what is cut short from now on is nobody's fault."""
        self._stopping = True
        self._clear()

    def _write(self, spans: Sequence[Span]) -> None:
        if self._stopping:
            return
        body = orjson.dumps({"boot": self._boot, "spans": spans})
        if len(body) <= SIZE - HEAD:
            self._memory[HEAD : HEAD + len(body)] = body
            self._memory[:HEAD] = len(body).to_bytes(HEAD, "little")  # last: a mark torn by a death is none

    def _clear(self) -> None:
        self._memory[:HEAD] = bytes(HEAD)

    def _read(self) -> list[Span]:
        length = int.from_bytes(self._memory[:HEAD], "little")
        try:
            mark = orjson.loads(self._memory[HEAD : HEAD + length]) if 0 < length <= SIZE - HEAD else {}
        except orjson.JSONDecodeError:
            return []
        return [tuple(span) for span in mark["spans"]] if mark.get("boot") == self._boot else []


def open_mark(path: Path) -> WorkMark | None:
    """The mark of one replica; None where the home cannot be written, so that nobody is ever blamed."""
    try:
        return WorkMark(path)
    except OSError:
        return None


def _boot_id() -> str:
    """Which start of the machine this is; where the system does not say, none is told from another."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return os.uname().nodename
