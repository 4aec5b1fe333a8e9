"""Faults of Kafka and PostgreSQL, of connections, of the disk."""

import asyncio
import signal
from datetime import UTC, datetime

import asyncpg
import httpx

from shared.embedded import kafka, postgres
from tests.faults.field import Field, Missed
from tests.faults.plan import Planned
from tests.faults.processes import Process
from tests.support.bundles import bundle

BACK_SECONDS = 60.0
CUT = """select count(pg_terminate_backend(pid)) from (
    select pid from pg_stat_activity where usename = $1 order by random() limit $2) as victims"""


async def kill_kafka(field: Field, _planned: Planned) -> None:
    at = datetime.now(UTC)
    await _strike_server(field.stage.kafka, signal.SIGKILL)
    await kafka.ready(field.stage.bootstrap, BACK_SECONDS)
    field.note("kill_kafka", "kafka", at, ended=True)


async def stop_postgres(field: Field, _planned: Planned) -> None:
    at = datetime.now(UTC)
    await _strike_server(field.stage.postgres, signal.SIGQUIT)
    await postgres.ready(postgres.admin_dsn(field.stage.home), BACK_SECONDS)
    field.note("stop_postgres", "postgres", at, ended=True)


async def _strike_server(server: Process, number: signal.Signals) -> None:
    if not server.strike(number):
        raise Missed(f"{server.name} does not run just now")
    await asyncio.wait_for(server.died.wait(), BACK_SECONDS)
    await asyncio.wait_for(server.up.wait(), BACK_SECONDS)


async def cut_connections(field: Field, planned: Planned) -> None:
    """One connection of a service, or all of them."""
    at, most = datetime.now(UTC), 1 if planned.draw % 2 else 100
    try:
        conn = await asyncpg.connect(field.stage.dsn, timeout=3)
        try:
            cut = await conn.fetchval(CUT, f"belay_{planned.target}", most, timeout=3)
        finally:
            await conn.close(timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Missed(f"PostgreSQL is away: {error!r}") from error
    if not cut:
        raise Missed(f"{planned.target} has no connection just now")
    field.note("cut_connections", planned.target, at, connections=cut)


async def full_disk(field: Field, planned: Planned) -> None:
    """An upload meets a full disk: refused as a failure of ours; sent again, it is taken once there is room."""
    name = f"spare-{planned.draw:08x}"
    file = field.stage.home.root / f"{name}.tar.gz"
    manifest = f'app: {name}\nversion: "1.0.0"\ncomponents:\n  - driver: simulated\n    name: web\n'
    file.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
    victim = await field.victim(planned)
    at = datetime.now(UTC)
    await field.order(victim, do="window", what="full_disk", seconds=planned.seconds)
    try:
        status = await field.client.try_upload(victim.name, file, f"{name}-full")
    except (OSError, httpx.HTTPError) as error:
        raise Missed(f"{victim.name} is away: {error!r}") from error
    if status < 500:
        raise Missed(f"{victim.name} was too slow to find the disk full: {status}")
    field.note("full_disk", victim.name, at, ended=True, seconds=planned.seconds, refused_with=status)
    await field.client.upload(file, f"{name}-full")
