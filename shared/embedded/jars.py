"""The Java packages that Kafka consists of: fetched by coordinates, believed by checksum."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.downloads.failure import Failure
from shared.downloads.surroundings import MAVEN

#: So many are named where more are missing: all of them fail for one reason.
NAMED = 2
LOCK = Path(__file__).with_name("kafka-jars.lock")


class JarError(RuntimeError):
    """Jars are missing and cannot be fetched, or are not what the lock says."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One published package: Maven coordinates and the SHA-256 of the file, in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> Jar:
        coordinates, _, digest = line.strip().partition(" sha256:")
        group, artifact, version = coordinates.split(":")
        return cls(group, artifact, version, digest)

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    def path(self, cache: Path) -> Path:
        folder = cache.joinpath(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"

    def url(self, repository: str) -> str:
        """Where a Maven repository has it."""
        return f"{repository}/{self.path(Path()).as_posix()}"

    def intact(self, cache: Path) -> bool:
        path = self.path(cache)
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def pinned() -> list[Jar]:
    """What the lock names, in class path order."""
    lines = LOCK.read_text().splitlines()
    return [Jar.parse(line) for line in lines if line and not line.startswith("#")]


def missing(cache: Path) -> list[Jar]:
    """Those that are not in `cache`, or damaged there."""
    return [jar for jar in pinned() if not jar.intact(cache)]


def ensure(cache: Path, doing: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Every pinned jar in `cache`, its checksum verified just now; what is missing or damaged is fetched.

    `doing` hears how far that is. Raises JarError with what could not be had, why, from where, and what to do.
    """
    if missing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache):
            _fetch(missing(cache), cache, doing)
    return [jar.path(cache) for jar in pinned()]


def _fetch(jars: list[Jar], cache: Path, doing: Callable[[str], None]) -> None:
    # Imported only when something is missing: it takes 0.3 s.
    from shared.embedded.maven import Fetching  # noqa: PLC0415

    fetching = Fetching(jars, cache, doing)
    if faults := fetching.run():
        left_out = f" and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        names = ", ".join(str(jar) for jar, _ in faults[:NAMED]) + left_out
        what = f"{len(faults)} of Kafka's {len(pinned())} Java packages ({names})"
        raise JarError(str(Failure(what, faults[0][1], fetching.sources[0], MAVEN)))


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process fetch into a cache at a time; the lock falls with the process."""
    descriptor = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
