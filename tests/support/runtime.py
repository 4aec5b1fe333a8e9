"""One Kafka and one PostgreSQL for a test run, in a home of their own that is gone afterwards.

With several workers (`pytest -n 3`) their controller holds the servers, and every worker uses them.
BELAY_TEST_KAFKA (host:port) and BELAY_TEST_POSTGRES (DSN of a superuser) name running ones to use instead.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.embedded import kafka as embedded_kafka
from shared.embedded import ports, postgres, process
from shared.embedded.home import Home
from tests.support import server

PREFIX = "belay-test-"
ROOT = Path(__file__).parents[2]
#: Kept between runs; the first run downloads 45 MB of jars to it.
JARS = ROOT / ".belay" / "jars"
START_SECONDS = 150
MEMORY = Path("/dev/shm")  # noqa: S108  each home has a folder of its own, made by `mkdtemp`
ROOM = 4 << 30
"""Bytes; a run takes a tenth of that."""
SERVERS = {"kafka": "kafka", "postgres_admin": "postgres"}
GIVEN = {"kafka": "BELAY_TEST_KAFKA", "postgres_admin": "BELAY_TEST_POSTGRES"}


def place() -> Path | None:
    """Where a home is made: in memory, if there is room; None = where temporary things are.

    Each test makes and drops a database of a thousand files. After so many deletions ext4 without a journal spends
    more on the search for an inode than everything else takes together.
    """
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if usable else None


def places() -> set[Path]:
    """Where homes may lie."""
    return {MEMORY, Path(tempfile.gettempdir())}


class Servers:
    """The servers of one test run. A worker of a run knows them by their home: they are its controller's."""

    def __init__(self, home: Home, *, ours: bool) -> None:
        self.home = home
        self.ours = ours
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    def of_this_process(cls) -> Servers:
        """A home for servers that end with this run, or are cleared away by the next."""
        sweep()
        home = Home.open(tempfile.mkdtemp(prefix=PREFIX, dir=place()), os.environ.get("BELAY_JARS") or JARS)
        process.record(home, "pytest")
        ports.allocate(home, *embedded_kafka.PORTS, "postgres")
        return cls(home, ours=True)

    @classmethod
    def of_the_controller(cls, root: str) -> Servers:
        return cls(Home.open(root, os.environ.get("BELAY_JARS") or JARS), ours=False)

    def start(self, name: str) -> None:
        """Begin to start a server, once. It has its own session: Ctrl-C ends the tests first, then it."""
        if self.ours and name not in self.running:
            with self.log(name).open("ab") as log:
                command = server.command_line(self.home, name)
                self.running[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        end_leftovers(self.home)
        for started in self.running.values():
            started.wait(10)

    def log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def wait(self, name: str, until_ready: Coroutine[Any, Any, None]) -> None:
        """Wait until it is ready. Where it does not start nothing is tested, which must not look like success."""
        try:
            asyncio.run(until_ready)
        except TimeoutError as error:
            tail = "\n".join(self.log(name).read_text().splitlines()[-15:])
            pytest.fail(f"{error}; its log ends:\n{tail}", pytrace=False)


def end_leftovers(home: Home) -> None:
    """End what a test run started, and delete its home and its database files."""
    for name, found in process.recorded(home).items():
        if name != "pytest":
            process.end(found, signal.SIGTERM, seconds=10)
    postgres.remove(home)
    shutil.rmtree(home.root, ignore_errors=True)


def sweep() -> None:
    """Clear up after runs that were killed: their homes name a pytest that is no more."""
    for folder in (found for place in places() for found in place.glob(f"{PREFIX}*")):
        # A young one may be about to be named by a run that begins beside ours.
        if os.access(folder, os.W_OK) and time.time() - folder.stat().st_mtime > 60:
            home = Home.open(folder, JARS)
            if "pytest" not in process.recorded(home):
                end_leftovers(home)
    sweep_databases()


def sweep_databases() -> None:
    """As root, databases lie apart from their homes: delete those of temporary homes that are gone."""
    for note in postgres.ROOT_FOLDER.glob("*/home"):
        home = Path(note.read_text())
        if any(home.is_relative_to(place) for place in places()) and not home.exists():
            shutil.rmtree(note.parent, ignore_errors=True)  # a run beside this one may clear away, too


HELD = pytest.StashKey[Servers]()
"""The servers that this process started, until pytest ends."""


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Before a worker starts: start the servers beside it, and tell it where they are."""
    config: pytest.Config = node.config
    if HELD not in config.stash:
        # Which tests there are only the workers will know, so both start; they are up before the first test is.
        config.stash[HELD] = Servers.of_this_process()
        for name in (SERVERS[fixture] for fixture in SERVERS if not os.environ.get(GIVEN[fixture])):
            config.stash[HELD].start(name)
    node.workerinput["servers"] = str(config.stash[HELD].home.root)


def pytest_unconfigure(config: pytest.Config) -> None:
    if servers := config.stash.get(HELD, None):
        servers.stop()


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """Those of the controller; without one, all that any test of this run will ask for, started side by side."""
    if worker := getattr(request.config, "workerinput", None):
        return Servers.of_the_controller(worker["servers"])
    servers = request.config.stash[HELD] = Servers.of_this_process()
    for name in {SERVERS[f] for item in request.session.items for f in needs(item)}:
        servers.start(name)
    return servers


def needs(item: pytest.Item) -> set[str]:
    wanted = SERVERS.keys() & set(getattr(item, "fixturenames", ()))
    return {name for name in wanted if not os.environ.get(GIVEN[name])}


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Bootstrap servers of the run's Kafka."""
    if given := os.environ.get(GIVEN["kafka"]):
        return given
    servers: Servers = request.getfixturevalue("servers")
    servers.start("kafka")
    bootstrap = embedded_kafka.bootstrap(servers.home)
    servers.wait("kafka", embedded_kafka.ready(bootstrap, START_SECONDS))
    return bootstrap


@pytest.fixture(scope="session")
def postgres_admin(request: pytest.FixtureRequest) -> str:
    """DSN of the superuser of the run's PostgreSQL."""
    if given := os.environ.get(GIVEN["postgres_admin"]):
        return given
    servers: Servers = request.getfixturevalue("servers")
    servers.start("postgres")
    dsn = postgres.admin_dsn(servers.home)
    servers.wait("postgres", postgres.ready(dsn, START_SECONDS))
    return dsn


@pytest.fixture
async def database(postgres_admin: str) -> AsyncIterator[str]:
    """DSN of a fresh, empty database, dropped after the test even if connections are left open."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(postgres_admin, f"create database {name} template template0")
    yield urlsplit(postgres_admin)._replace(path=f"/{name}").geturl()
    await execute(postgres_admin, f"drop database {name} with (force)")


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def topic_prefix() -> str:
    """Prefix for topics and consumer groups that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}."
