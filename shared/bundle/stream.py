"""A compressed archive as a stream that cannot be made to give, or keep in memory, more than is allowed."""

import gzip
from dataclasses import dataclass
from typing import IO

from shared.messages.base import Fault

from .faults import fault

MIB = 1 << 20
HEADER_BYTES = 16 * 1024
"""Most bytes between the content of one member and that of the next: no tar writer needs more for a name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bundle may hold at most. Sizes in bytes, after decompression."""

    files: int = 10_000
    file_bytes: int = 512 * MIB
    total_bytes: int = 2048 * MIB
    ratio: int = 100
    """Decompressed to compressed bytes, once there are more than `ratio_from`."""
    ratio_from: int = 16 * MIB


class Stop(Exception):
    """Reading on is dangerous or pointless."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


class Inflated:
    """The decompressed bytes of a gzip file, for tarfile to read from.

    tarfile keeps headers in memory, however large they say they are; so `allow` must grant what is read next.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._file = file
        self._plain = gzip.GzipFile(fileobj=file, mode="rb")
        self._limits = limits
        self._granted = HEADER_BYTES
        self.total = 0
        self.filled = 0
        """Where the last byte that is not zero ends."""

    def allow(self, size: int) -> None:
        """Let `size` more bytes be read, and the header after them."""
        self._granted = self.total + size + HEADER_BYTES

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Raises Stop at a limit, EOFError or gzip's and zlib's errors when they are corrupt."""
        if self.total >= self._granted:
            raise Stop(fault("header_too_large", "", f"a header of the archive has more than {HEADER_BYTES} bytes"))
        data = self._plain.read(size)
        if solid := len(data.rstrip(b"\0")):
            self.filled = self.total + solid
        self.total += len(data)
        self._check()
        return data

    def drain(self) -> None:
        """Read to the end, so that the checksum of the compression is looked at. Raises as `read` does."""
        self._granted = self._limits.total_bytes
        while self.read(MIB):
            pass

    def _check(self) -> None:
        limits = self._limits
        if self.total > limits.total_bytes:
            raise Stop(fault("too_large", "", f"unpacked it has more than {limits.total_bytes} bytes"))
        if self.total > limits.ratio_from and self.total > limits.ratio * self._file.tell():
            raise Stop(fault("compression_bomb", "", f"it unpacks to more than {limits.ratio} times its size"))
