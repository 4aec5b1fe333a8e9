"""Java packages from a Maven repository: by coordinates, several at a time, none more once it cannot be reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import httpx
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL

from shared.downloads import http
from shared.downloads.surroundings import MAVEN
from shared.embedded.jars import Jar

AT_ONCE = 8


def repositories() -> list[str]:
    """Where to look, in this order: the mirror that BELAY_MAVEN_URL names, else those of jgo's settings."""
    if named := os.environ.get(MAVEN):
        return [named.rstrip("/")]
    found = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    return [url.rstrip("/") for url in found.values()]


class Fetching:
    """Fetches jars into a cache, and says how far it is."""

    def __init__(self, jars: list[Jar], cache: Path, doing: Callable[[str], None]) -> None:
        self.sources = repositories()
        self._jars, self._cache, self._doing = jars, cache, doing
        self._there, self._bytes, self._lock = 0, 0, Lock()
        self._given_up = Event()

    def run(self) -> list[tuple[Jar, str]]:
        """Fetch all; those that could not be had, each with its reason, the telling ones first."""
        try:
            client = http.client()
        except OSError as error:
            return [(jar, f"the certificate file cannot be read: {error}") for jar in self._jars]
        with client as web, ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda jar: self._one(web, jar), self._jars))
        faults = [(jar, fault) for jar, fault in zip(self._jars, outcomes, strict=True) if fault is not None]
        return sorted(faults, key=lambda one: one[1] == "")

    def _one(self, web: httpx.Client, jar: Jar) -> str | None:
        """None if it is there; else why not, empty if it was not tried any more."""
        jar.path(self._cache).unlink(missing_ok=True)
        fault = ""
        for source in self.sources:
            if self._given_up.is_set():
                break
            if (fault := self._from(web, source, jar)) == "":
                self._tell(jars=1)
                return None
        return fault

    def _from(self, web: httpx.Client, source: str, jar: Jar) -> str:
        try:
            http.fetch(web, jar.url(source), jar.path(self._cache), lambda more: self._tell(more=more))
        except http.HttpRefused as error:
            return str(error)
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            if source == self.sources[-1]:
                self._given_up.set()  # the others would wait for the same in vain
            return str(error) or type(error).__name__
        if jar.intact(self._cache):
            return ""
        jar.path(self._cache).unlink()
        return f"the file fetched does not have sha256 {jar.sha256}"

    def _tell(self, jars: int = 0, more: int = 0) -> None:
        with self._lock:
            self._there, self._bytes = self._there + jars, self._bytes + more
            text = f"{self._there} of {len(self._jars)}, {self._bytes / 2**20:.0f} MB"
        self._doing(f"fetching Kafka's Java packages: {text}")
