"""The Java packages that Kafka consists of: fetched by coordinates, believed by checksum."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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


def ensure(cache: Path, doing: Callable[[str], None] = lambda _: None) -> list[Path]:  # noqa: ARG001
    """Every pinned jar in `cache`, its checksum verified just now; what is missing or damaged is fetched.

    Raises JarError naming all jars that could not be had, each with its reason.
    """
    wanted = pinned()
    if not all(jar.intact(cache) for jar in wanted):
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache):
            _fetch([jar for jar in wanted if not jar.intact(cache)], cache)
    return [jar.path(cache) for jar in wanted]


def _fetch(jars: list[Jar], cache: Path) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        faults = [fault for fault in pool.map(partial(_fetch_one, cache=cache), jars) if fault]
    if faults:
        raise JarError("cannot get the Java packages of Kafka:\n  " + "\n  ".join(faults))


def _fetch_one(jar: Jar, cache: Path) -> str | None:
    # Imported only when something is missing: it takes 0.3 s.
    from jgo.config import GlobalSettings  # noqa: PLC0415
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    jar.path(cache).unlink(missing_ok=True)
    # Mirrors in the user's settings of jgo hold; the user's Maven cache is neither read nor written.
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(repo_cache=cache, remote_repos=repositories, timeout=60)
    try:
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except Exception as error:  # noqa: BLE001  whatever a resolver raises becomes one line of the report
        return f"{jar}: {error}"
    return None if jar.intact(cache) else f"{jar}: the file fetched does not have sha256 {jar.sha256}"


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process fetch into a cache at a time; the lock falls with the process."""
    descriptor = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
