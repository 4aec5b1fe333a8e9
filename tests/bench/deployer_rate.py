"""How many operations a second one deployer brings through, and what each costs it.

    BELAY_TEST_KAFKA=host:port BELAY_TEST_POSTGRES=dsn python -m tests.bench.deployer_rate [OPERATIONS]

All commands wait in Kafka when the deployer starts; counted is from the first operation that ended to the last, with
everything in between: consume, decide, store, claim, plan, the simulated device, write the result, send the events.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared import provision
from shared.codec import Envelope, encode, new_id, new_trace
from shared.manifest import SimulatedComponent
from shared.messages.base import Message
from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import OperationSucceeded, RequestOperation
from shared.messages.strategy import BATCH, Site, SitesChanged
from shared.messages.words import OperationKind

PREFIX = f"bench{os.getpid()}."
DATABASE = f"bench{os.getpid()}"
ENDED = OperationSucceeded.TYPE.encode()


@dataclass
class Bench:
    """Where the bench runs, and how much."""

    kafka: str
    postgres: str
    home: Path
    operations: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BELAY_KAFKA": self.kafka,
            "BELAY_POSTGRES": provision.service_dsn(self.postgres, "deployer", self.home, DATABASE),
            "BELAY_HOME": str(self.home),
            "BELAY_TOPIC_PREFIX": PREFIX,
            "BELAY_LOG_LEVEL": "warning",
        }


async def publish(producer: AIOKafkaProducer, messages: list[Message]) -> None:
    """Send everything, and wait until Kafka has it."""
    sent = []
    for message in messages:
        envelope = Envelope(message, new_id(), "/bench", datetime.now(UTC), traceparent=new_trace())
        key, headers, body = encode(envelope)
        sent.append(await producer.send(PREFIX + message.TOPIC, body, key=key, headers=headers))
    await asyncio.gather(*sent)


def the_world(count: int) -> list[Message]:
    """A release, and sites."""
    sites = [Site(name=f"site-{n}") for n in range(count)]
    release = ReleaseAvailable(
        release_id="shop-1",
        app="shop",
        version="1",
        scheme="pep440",
        bundle_sha256="0" * 64,
        bundle_bytes=1,
        upgrades_from=None,
        components=(SimulatedComponent(name="web"),),
        published_at=datetime.now(UTC),
    )
    return [release, *(SitesChanged(sites=tuple(sites[n : n + BATCH])) for n in range(0, count, BATCH))]


def commands(count: int) -> list[Message]:
    """One operation for each site."""
    return [RequestOperation(site=f"site-{n}", app="shop", kind=OperationKind.APPLY, version="1") for n in range(count)]


@asynccontextmanager
async def deployer(bench: Bench) -> AsyncIterator[psutil.Process]:
    """A deployer in its own process."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.deployer", env=bench.environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def learnt(bench: Bench) -> None:
    """Wait until the deployer knows the sites and the release."""
    conn = await asyncpg.connect(bench.environment["BELAY_POSTGRES"])
    while not await conn.fetchval("select to_regclass('feed') is not null"):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    known = "select (select count(*) from site) = $1 and (select count(*) from release) = 1"
    while not await conn.fetchval(known, bench.operations):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await conn.close()


async def count_ends(bench: Bench, consumer: AIOKafkaConsumer, process: psutil.Process) -> None:
    """Count the ends of operations, and print what they took."""
    ended, began, cpu = 0, 0.0, 0.0
    while ended < bench.operations:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            ended += sum(dict(record.headers).get("ce_type") == ENDED for record in records)
        if ended and not began:
            began, cpu, first = time.monotonic(), sum(process.cpu_times()[:2]), ended
    seconds, burnt = time.monotonic() - began, sum(process.cpu_times()[:2]) - cpu
    counted = bench.operations - first
    print(f"{counted} operations in {seconds:.2f} s: {counted / seconds:.0f}/s,", end=" ")  # noqa: T201
    print(f"{1e6 * burnt / counted:.0f} us of CPU each, {process.memory_info().rss >> 20} MiB")  # noqa: T201


async def run(bench: Bench) -> None:
    """Prepare, run, measure."""
    await provision.provision(bench.kafka, bench.postgres, bench.home, PREFIX, DATABASE)
    producer = AIOKafkaProducer(bootstrap_servers=bench.kafka, linger_ms=5)
    consumer = AIOKafkaConsumer(f"{PREFIX}deployer.events", bootstrap_servers=bench.kafka, auto_offset_reset="earliest")
    async with producer, consumer:
        await publish(producer, the_world(bench.operations))
        async with deployer(bench):
            await learnt(bench)
        await publish(producer, commands(bench.operations))
        async with deployer(bench) as process:
            await count_ends(bench, consumer, process)
    conn = await asyncpg.connect(bench.postgres)
    await conn.execute(f"drop database {DATABASE} with (force)")
    await conn.close()


def main() -> None:
    """Entry point; raises KeyError when an address is missing."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    admin = os.environ["BELAY_TEST_POSTGRES"]
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(os.environ["BELAY_TEST_KAFKA"], urlsplit(admin).geturl(), Path(home), count)
        asyncio.run(run(bench))


if __name__ == "__main__":
    main()
