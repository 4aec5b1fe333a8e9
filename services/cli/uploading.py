"""Files sent so that an interruption costs little: they go on where they stopped, also when the command is given again.

Which upload a file belongs to is kept under the user's cache, by its content and the address of Belay: a file that was
changed is another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.answers import ProblemError, Unreachable

if TYPE_CHECKING:
    from services.cli.client import Client

PART = 16 << 20
"""Bytes of one request: a refusal is heard after so many, and not after all of them."""

CHUNK = 256 * 1024
WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Before each further try while nothing goes on; what goes on begins them anew."""

GONE = frozenset({404, 410})
LATER = frozenset({"upload_busy", "wrong_offset", "wrong_checksum"})
"""Refusals that asking how far it is mends, sooner or later."""


@dataclass(frozen=True, slots=True)
class File:
    """What is to be sent."""

    path: Path
    bytes: int
    sha256: str


def file_of(path: Path) -> File:
    """Read it once for its digest."""
    with path.open("rb") as content:
        return File(path, path.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def cache_folder() -> Path:
    """Where this user's programs keep what they can do without."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belay" / "uploads"


class Begun:
    """Which upload a file belongs to, if it was begun before."""

    def __init__(self, url: str, file: File, folder: Path) -> None:
        name = hashlib.sha256(f"{url}\n{file.sha256}".encode()).hexdigest()
        self._note = folder / f"{name}.json"

    def path(self) -> str | None:
        """Its path at the API."""
        try:
            return str(json.loads(self._note.read_text())["path"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, path: str) -> None:
        """A disk that cannot be written costs an upload from its beginning, and nothing else."""
        try:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(json.dumps({"path": path}))
        except OSError:
            return

    def forget(self) -> None:
        """It has come to its end."""
        self._note.unlink(missing_ok=True)


def upload(
    client: Client, file: File, told: Callable[[int], None], names: Mapping[str, str], folder: Path | None = None
) -> dict[str, Any]:
    """Send a file; the upload as it is then, whose `publication` says what becomes of it.

    `told` hears how many bytes lie there. Raises ProblemError and Unreachable as the client does.
    """
    begun = Begun(client.url, file, folder or cache_folder())
    sending = _Sending(client, file, told)
    try:
        path = begun.path()
        offset = sending.reached(path) if path else None
        if path is None or offset is None:
            path, offset = sending.begin(names), 0
            begun.remember(path)
        shown = sending.send(path, offset)
    except ProblemError as error:
        if error.status < 500:
            begun.forget()  # whatever is wrong with it would be again
        raise
    begun.forget()
    return shown


class _Waits:
    """Waits that grow while an upload comes no further."""

    def __init__(self, offset: int) -> None:
        self._furthest, self._left = offset, iter(WAITS)

    def wait(self, error: Exception, offset: int) -> None:
        """Before the next try. Raises the error when there is none any more."""
        if offset > self._furthest:
            self._furthest, self._left = offset, iter(WAITS)
        if (seconds := next(self._left, None)) is None:
            raise error
        time.sleep(seconds)


class _Sending:
    def __init__(self, client: Client, file: File, told: Callable[[int], None]) -> None:
        self._client = client
        self._file = file
        self._told = told

    def begin(self, names: Mapping[str, str]) -> str:
        values = {"filename": self._file.path.name[:255], "sha256": self._file.sha256, **names}
        told = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())
        headers = {"Upload-Length": str(self._file.bytes), "Upload-Metadata": told}
        return self._client.begin_upload(headers)

    def reached(self, path: str) -> int | None:
        """How many bytes lie there; None when it is not known there any more."""
        try:
            offset = int(self._client.get(path)["offset"])
        except ProblemError as error:
            if error.status in GONE:
                return None
            raise
        self._told(offset)
        return offset

    def send(self, path: str, offset: int) -> dict[str, Any]:
        """All that follows. Goes on by itself after whatever breaks, as long as that leads anywhere."""
        waits, lost = _Waits(offset), False
        while True:
            try:
                if lost:
                    offset = self.reached(path) or 0  # guarded as well: who broke the part may still be away
                offset, lost = self._client.send_part(path, offset, self._chunks(offset)), False
                self._told(offset)
                if offset == self._file.bytes and (shown := self._client.get(path))["state"] == "complete":
                    return shown
            except (ProblemError, Unreachable) as error:
                if isinstance(error, ProblemError) and error.code not in LATER and error.status < 500:
                    raise
                waits.wait(error, offset)
                lost = True

    def _chunks(self, offset: int) -> Iterator[bytes]:
        end = min(offset + PART, self._file.bytes)
        with self._file.path.open("rb") as content:
            content.seek(offset)
            while offset < end and (chunk := content.read(min(CHUNK, end - offset))):
                offset += len(chunk)
                yield chunk
