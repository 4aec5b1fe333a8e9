"""Everything running, as a user has it, in a home of its own: Kafka, PostgreSQL, all services, and one page open."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console

from services.cli.client import Client, Unreachable
from shared.embedded import kafka, postgres, stack
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from shared.process import provision
from tests.bench import costs

JARS = Path(".belay/jars")
LOGS = Path("build/bench-logs")
"""Where the logs of a rig go on which something broke."""

PATIENCE = 300.0
START_SECONDS = 60.0
QUIET_SECONDS, QUIET_CORES = 1.0, 0.15
T = TypeVar("T")

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def wait(look: Callable[[], T | None], seconds: float = PATIENCE, every: float = 0.05) -> T:
    """What `look` finds; raises TimeoutError when it finds nothing in that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := look():
            return value
        time.sleep(every)
    raise TimeoutError(f"nothing came of {look} within {seconds:g} s")


@dataclass
class Rig:
    """A running Belay that figures are measured on. `patience`: seconds to wait for a quiet machine, see below."""

    home: Home
    replicas: dict[str, int]
    client: Client
    page: "subprocess.Popen[bytes]"
    patience: float = 0
    registered: set[int] = field(default_factory=set)
    releases: int = 0

    @property
    def work(self) -> Path:
        """A folder for what the bench writes; gone with the rig."""
        return self.home.root / "bench"

    @property
    def notes(self) -> Path:
        """Where the page notes when each event was there."""
        return self.work / "page.txt"

    @property
    def token(self) -> str:
        """Of the administrator."""
        return (self.home.root / "admin.token").read_text().strip()

    @property
    def admin(self) -> str:
        """PostgreSQL as its superuser."""
        return postgres.admin_dsn(self.home)

    @property
    def database(self) -> str:
        """The database of all services, as the superuser."""
        return urlsplit(self.admin)._replace(path=f"/{provision.DATABASE}").geturl()

    def read(self) -> costs.Reading:
        """What everything has cost so far."""
        return costs.read(self.home, {"page": self.page.pid, "bench": os.getpid()})

    def settle(self) -> None:
        """Until nothing is on its way any more: whatever was caused has been handled by everyone."""
        wait(self._idle, every=0.2)

    def await_quiet(self) -> None:
        """Until nothing else keeps the cores busy, at most `patience`: then the run itself says how busy they were."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            before = self.read()
            time.sleep(QUIET_SECONDS)
            if costs.between(before, self.read(), {}, 1).others < QUIET_CORES:
                return

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Without services and Kafka while the block runs: PostgreSQL is all that is left. The page opens anew."""
        _supervise(self.home, "stop", "services:*", "kafka")
        try:
            yield
        finally:
            _supervise(self.home, "start", "kafka")
            asyncio.run(kafka.ready(kafka.bootstrap(self.home), START_SECONDS))
            _supervise(self.home, "start", "services:*")
            _await_ready(self.client, len(list(Wish(replicas=self.replicas).instances())))

    def _idle(self) -> bool:
        rows = self.client.get("/v1/system")["items"]
        return all(row["ready"] and not row["lag"] and not row["outbox"] for row in rows)


@contextmanager
def running(replicas: dict[str, int], settings: dict[str, str] | None = None, patience: float = 0) -> Iterator[Rig]:
    """A rig with so many replicas (1 where silent). `settings` are PostgreSQL's own, made by ALTER SYSTEM.

    Leaves no process and no database behind; when the block raises, the logs are kept in build/bench-logs.
    """
    with tempfile.TemporaryDirectory(prefix="belay-bench-") as folder:
        home = Home.open(Path(folder) / "home", os.environ.get("BELAY_JARS") or JARS)
        wish = Wish(replicas=replicas)
        try:
            with stack.alone(home):
                stack.start(home, wish, _silent)
                if settings:
                    asyncio.run(_alter(postgres.admin_dsn(home), settings))
                    stack.start(home, wish, _silent)  # most of them need a restart
                with _client(home) as client, _page(home, client) as page:
                    count = len(list(wish.instances()))
                    _await_ready(client, count)
                    yield Rig(home, replicas, client, page, patience)
        except BaseException:
            shutil.copytree(home.logs, LOGS, dirs_exist_ok=True)
            raise
        finally:
            stack.stop(home)
            postgres.remove(home)


def _supervise(home: Home, *order: str) -> None:
    """Have the supervisor of a home start or stop programs; returns when it has."""
    socket = f"unix://{home.run / 'supervisor.sock'}"
    program = (sys.executable, "-m", "supervisor.supervisorctl", "-s", socket, *order)
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode or "ERROR" in done.stdout:
        raise RuntimeError(f"supervisorctl {' '.join(order)}: {done.stdout}{done.stderr}")


def _silent(_: str) -> None:
    """The bench prints figures, not how everything starts."""


def _await_ready(client: Client, count: int) -> None:
    """Until so many replicas say that they are. Raises RuntimeError saying which one is not, and what it lacks."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        rows = _replicas(client)
        if len(rows) == count and all(row["ready"] for row in rows):
            return
        if time.monotonic() > deadline:
            lacking = {f"{row['service']}-{row['instance']}": row for row in rows if not row["ready"]}
            raise RuntimeError(f"{len(rows)} of {count} replicas after {START_SECONDS:g} s; not ready: {lacking}")
        time.sleep(0.1)


async def _alter(dsn: str, settings: dict[str, str]) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        for name, value in settings.items():
            await conn.execute(f"alter system set {name} = '{value}'")
    finally:
        await conn.close()


@contextmanager
def _client(home: Home) -> Iterator[Client]:
    token = home.root / "admin.token"
    wait(token.exists, START_SECONDS)
    port = home.read_json("ports.json")["gateway-1-page"]
    with Client(f"http://127.0.0.1:{port}", token.read_text().strip(), timeout=120) as client:
        yield client


@contextmanager
def _page(home: Home, client: Client) -> Iterator["subprocess.Popen[bytes]"]:
    """One page, open for as long as the rig runs."""
    (home.root / "bench").mkdir()
    notes = home.root / "bench/page.txt"
    wait(lambda: _replicas(client), START_SECONDS)
    environment = {**os.environ, "BELAY_TOKEN": (home.root / "admin.token").read_text().strip()}
    page = subprocess.Popen([sys.executable, "-m", "tests.bench.page", client.url, str(notes)], env=environment)
    try:
        wait(lambda: notes.exists() and notes.stat().st_size, 20)
        yield page
    finally:
        page.send_signal(signal.SIGTERM)
        page.wait(10)


def _replicas(client: Client) -> list[dict[str, Any]]:
    """How each says it is; none while the gateway is away."""
    try:
        rows: list[dict[str, Any]] = client.get("/v1/system")["items"]
        return rows
    except Unreachable:
        return []
