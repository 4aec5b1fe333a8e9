"""Where a round plays: Kafka, PostgreSQL and every service, as processes of the campaign in a home of their own."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.embedded import kafka, launch, postgres, process
from shared.embedded.home import Home
from shared.embedded.programs import SERVICES, Wish, allocate_ports, services
from shared.process import provision
from shared.wire.access import at
from tests.faults.processes import Process
from tests.support import runtime

REPLICAS = 3
"""The most replicas of a core service that ever run side by side."""

READY_SECONDS = 60.0
AUTOMATIC_AT_ONCE = 2
"""Operations that go by themselves over the fleet at once: fewer than sites of a strand, so that the limit counts."""

SHORT = {
    "BELAY_SESSION_TIMEOUT_MS": "2000",
    "BELAY_LEASE_SECONDS": "2",
    "BELAY_LOG": "json",
    "BELAY_DEPLOYER_STOP_SECONDS": "3",
    "BELAY_DEPLOYER_RECOVERY_SECONDS": "15",
    "BELAY_DEPLOYER_CHECK_SECONDS": "4",
    "BELAY_GATEWAY_ANSWER_SECONDS": "3",
    "BELAY_DEPLOYER_DELETION_SECONDS": "1",
    "BELAY_DEPLOYER_AUDIT_SECONDS": "3",
    "BELAY_DEPLOYER_AUTOMATIC_AT_ONCE": str(AUTOMATIC_AT_ONCE),
    "BELAY_DEPLOYER_AUTOMATIC_PAUSE_SECONDS": "1",
    "BELAY_DEPLOYER_AUTOMATIC_AGAIN_SECONDS": "1",
    "BELAY_CATALOG_ALLOW_PRIVATE_SOURCES": "true",
    "BELAY_CATALOG_PLAIN_SOURCES": "true",
    "BELAY_CATALOG_IMPORT_PATIENCE_SECONDS": "5",
}
"""Sessions and leases of 2 s, checks of sites every 4 s, audits every 3 s, so that what takes longer happens within
seconds. Bundles are imported from this machine."""


class Stage:
    """Everything that runs in a round."""

    def __init__(self, home: Home) -> None:
        self.home = home
        many = dict.fromkeys(("deployer", "strategy_orchestrator"), REPLICAS)
        ours = {name: (sys.executable, "-m", "tests.faults.saboteur", name) for name in SERVICES}
        wish = Wish(replicas=many, services=ours)
        allocate_ports(home, wish)
        self.kafka = self._process(
            "kafka", [sys.executable, "-m", "tests.faults.broker", str(home.root), str(home.jars)], {}
        )
        self.postgres = self._process("postgres", launch.command_line(home, "postgres"), {})
        self.replicas = {
            program.name: self._process(program.name, program.argv, {**program.env, **SHORT})
            for program in services(home, wish)
        }

    def _process(self, name: str, argv: list[str] | tuple[str, ...], env: dict[str, str]) -> Process:
        return Process(name, argv, env, self.home.logs / f"{name}.log")

    @property
    def bootstrap(self) -> str:
        return kafka.bootstrap(self.home)

    @property
    def dsn(self) -> str:
        """The superuser's, of the database that all services share."""
        return postgres.admin_dsn(self.home).rpartition("/")[0] + f"/{provision.DATABASE}"

    @property
    def processes(self) -> list[Process]:
        return [*self.replicas.values(), self.kafka, self.postgres]

    def of(self, service: str) -> list[Process]:
        """The replicas of a service that are to run, first the first."""
        names = (f"{service}-{number}" for number in range(1, REPLICAS + 1))
        return [self.replicas[name] for name in names if name in self.replicas and self.replicas[name].starts]

    async def rise(self) -> None:
        """Servers, provisioning, then one replica of each service; returns when all are ready."""
        self.kafka.start()
        self.postgres.start()
        admin = postgres.admin_dsn(self.home)
        await asyncio.gather(kafka.ready(self.bootstrap, READY_SECONDS), postgres.ready(admin, READY_SECONDS))
        await provision.provision(at(self.bootstrap), admin, self.home.root)
        first = [f"{service}-1" for service in SERVICES]
        for name in first:
            self.replicas[name].start()
        await asyncio.gather(*(self.ready(name, READY_SECONDS) for name in first))

    async def ready(self, name: str, seconds: float) -> None:
        """Until a replica says that it is. Raises TimeoutError."""
        note = self.home.run / f"{name}.json"
        async with asyncio.timeout(seconds), httpx.AsyncClient(trust_env=False, timeout=2) as http:
            while not await _says_ready(http, note):  # noqa: ASYNC110 - it is asked over HTTP
                await asyncio.sleep(0.1)

    async def bow(self) -> dict[str, float | None]:
        """Stop all services in good order; how long each took, None for what had to be killed."""
        running = [replica for replica in self.replicas.values() if replica.pid]
        took = await asyncio.gather(*(replica.stop() for replica in running))
        return {replica.name: seconds for replica, seconds in zip(running, took, strict=True)}

    async def clear(self) -> None:
        """End whatever still runs."""
        await asyncio.gather(*(replica.stop(signal.SIGKILL, 5) for replica in self.replicas.values()))
        await asyncio.gather(self.kafka.stop(signal.SIGKILL, 5), self.postgres.stop(signal.SIGINT, 20))


async def _says_ready(http: httpx.AsyncClient, note: Path) -> bool:
    try:
        url = _noted(note)
        return (await http.get(f"{url}/readyz")).status_code == 200
    except (OSError, ValueError, httpx.HTTPError):
        return False


def _noted(note: Path) -> str:
    """The address that a replica noted. Raises OSError, ValueError."""
    url: str = json.loads(note.read_text())["url"]
    return url


@asynccontextmanager
async def standing() -> AsyncIterator[Stage]:
    """A stage in a temporary home; whatever happens, nothing of it stays behind."""
    runtime.sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{runtime.PREFIX}faults-"))
    home = Home.open(folder, os.environ.get("BELAY_JARS") or runtime.JARS)
    process.record(home, "pytest")  # the sweep of a later run knows by it whether this one lives
    try:
        stage = Stage(home)
        try:
            yield stage
        finally:
            await asyncio.shield(asyncio.ensure_future(stage.clear()))
    finally:
        postgres.remove(home)
        shutil.rmtree(folder, ignore_errors=True)
